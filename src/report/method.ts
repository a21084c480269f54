import { type EvaluationResult, idleShare } from "../evaluate/index.ts";
import { count, date, duration, epsilonText, percent, plural } from "./format.ts";
import { group, type Line } from "./group.ts";
import { html, type Html, type Piece } from "./html.ts";
import { allowanceText, noun } from "./summary.ts";

const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
const hash = (text: string): Html => html`<code class="hash">${text}</code>`;
const notes = (list: readonly string[]): readonly Line[] => list.map((note): Line => ["note", note]);

/** The command, to be broken before its flags and not within them. */
const commandWords = (command: string): readonly Piece[] =>
  command.split(/ (?=--)/).map((part, i) => [i > 0 && " ", html`<span class="word">${part}</span>`]);

/** All that is needed to judge the measurement, and to repeat it. */
export const methodSection = (result: EvaluationResult): Html => {
  const { model, data, threat, machine, run, seconds } = result;
  return html`<section id="method" aria-labelledby="method-title">
    <h2 id="method-title">How this was measured</h2>
    <p class="lead">
      An example counts as correct under attack when the model classifies it correctly and no attack found an input in
      the allowed set that it classifies wrongly. Every such input is projected into the set and judged again by the
      model itself. Intervals are exact (Clopper-Pearson, 95 %): they tell how far the figures may be off because
      ${count(result.cleanAccuracy.count)} ${noun(result)} are a sample.
    </p>
    <figure class="command">
      <figcaption>Command</figcaption>
      <pre><code>${commandWords(result.command)}</code></pre>
    </figure>
    <div class="groups">
      ${group("Model", [
        ["file", html`<code>${model.path}</code>`],
        ["hash", hash(model.hash)],
        ["input", shapeText(model.inputShape)],
        ["classes", count(model.classes)],
        ["parameters", count(model.parameters)],
        ...notes(model.notes),
      ])}
      ${group("Data", [
        ["name", data.name],
        ["split", data.split],
        ["examples", count(data.count)],
        ["range", `${data.range[0]} to ${data.range[1]}`],
        ["layout", data.layout],
        ["source", data.source],
        ["hash", hash(data.hash)],
        ...notes(data.notes),
      ])}
      ${group("Threat", [
        ["norm", threat.norm],
        ["epsilon", epsilonText(threat.epsilon)],
        ["allowed values", `${threat.box[0]} to ${threat.box[1]}`],
        ["in words", `an attacker who ${allowanceText(result)}`],
        ["seed", String(result.seed)],
      ])}
      ${group("Machine and time", [
        ["processor", machine.cpu],
        ["cores", `${plural(machine.cores, "core")}, ${plural(machine.threads, "thread")} used`],
        ["work", `batches of ${run.batch}${run.lanes > 1 ? `, ${run.lanes} at once` : ""}`],
        ["platform", machine.platform],
        [
          "gradients",
          machine.winogradChannels > 0
            ? `Winograd's convolutions from ${machine.winogradChannels} channels on (--winograd-channels ${machine.winogradChannels}); verdicts direct`
            : "direct convolutions",
        ],
        ["versions", `Temper ${machine.temper}, Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}`],
        [
          "time",
          `${duration(seconds.total)} in all; ${duration(seconds.clean)} without attack, ${duration(seconds.attack)} attacking; the engine was idle for ${percent(idleShare(seconds))}`,
        ],
        ["date", date(result.createdAt)],
      ])}
    </div>
  </section>`;
};
