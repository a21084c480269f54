import { type Html, literal } from "./html.ts";

/**
 * The page's style sheet. Blue is what stands, hatched orange what an attack broke (both from Okabe and Ito's set for
 * colour-blind readers, darkened or lightened until text in them has a contrast of 4.5 to its ground).
 */
export const css: Html = literal`
:root {
  color-scheme: light dark; --ground: #f6f7f9; --paper: #ffffff; --ink: #1a2027; --soft: #55606c; --line: #dde2e8;
  --faint: #eef1f4; --keep: #0b67a8; --lost: #b84f08; --lost-ground: #f7dcc6; --band: rgba(11, 103, 168, 0.16);
  --heat: #d9660f; --warn: #8a5a00; --warn-ground: #fff7e2; --warn-line: #e3b341;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1317; --paper: #171c22; --ink: #e7ebf0; --soft: #a0abb7; --line: #2c343d; --faint: #1f262d;
    --keep: #5cb2f2; --lost: #f29a52; --lost-ground: #573517; --band: rgba(92, 178, 242, 0.2); --heat: #a04f0c;
    --warn: #f0c862; --warn-ground: #272213; --warn-line: #8d6d1c;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 var(--sans);
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
main { max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.5rem 1rem; }
h1, h2, h3, p, ul, dl, dd, figure { margin: 0; }
h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }
h1 small { font-size: 1em; font-weight: 400; color: var(--soft); }
h2 { font-size: 1.25rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.005em; }
h3 { font-size: 1rem; font-weight: 650; }
a { color: var(--keep); }
:focus-visible { outline: 2px solid var(--keep); outline-offset: 2px; }
code, pre { font-family: var(--mono); font-size: 0.875em; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.defs { position: absolute; }
.num { text-align: right; }
.sub { display: block; color: var(--soft); font-size: 0.8125rem; line-height: 1.4; font-weight: 400; }
.note { color: var(--soft); font-size: 0.875rem; line-height: 1.45; }
.strong { font-weight: 600; }
.eyebrow { color: var(--soft); font-size: 0.875rem; margin-bottom: 0.375rem; }
.verdict { font-size: 1.375rem; line-height: 1.45; margin-top: 1rem; max-width: 54rem; text-wrap: pretty; }
.caveat { color: var(--soft); margin-top: 0.5rem; font-size: 0.9375rem; }
.doubts {
  margin-top: 1.75rem; padding: 1.125rem 1.25rem; background: var(--warn-ground); border: 1px solid var(--warn-line);
  border-radius: 10px;
}
.doubts h2 { font-size: 1.0625rem; display: flex; gap: 0.625rem; align-items: baseline; }
.doubts .sign {
  flex: none; width: 1.4em; height: 1.4em; line-height: 1.4em; border-radius: 50%; text-align: center;
  font-weight: 700; font-size: 0.875em; color: var(--warn-ground); background: var(--warn);
}
.doubts ul { list-style: none; padding: 0; margin-top: 0.75rem; }
.doubts li {
  display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: 0.25rem 1.25rem; padding: 0.625rem 0;
  border-top: 1px solid var(--warn-line);
}
.doubts li:last-child { padding-bottom: 0; }
.doubts li code { color: var(--warn); font-weight: 600; line-height: 1.75; }
.doubts.none {
  background: none; border-color: var(--line); padding: 0.75rem 1.25rem; display: flex; flex-wrap: wrap;
  gap: 0.125rem 1rem; align-items: baseline;
}
.doubts.none h2 { font-size: 1rem; }
.doubts.none p { color: var(--soft); font-size: 0.9375rem; }
.doubts.none .sign { color: var(--ground); background: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 1rem; margin-top: 1.25rem; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.125rem 1.125rem; }
.tile h2 { font-size: 0.875rem; font-weight: 500; color: var(--soft); letter-spacing: 0; }
.tile .figure { font-size: 1.75rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.02em; }
.tile .bar { margin: 0.375rem 0 0.625rem; height: 6px; }
.tile .effort { margin-top: 0.25rem; }
nav {
  display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; margin: 1.75rem 0 0; padding: 0.75rem 0;
  border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); font-size: 0.9375rem;
}
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
main > section[id]:not(.doubts) { margin-top: 2.75rem; scroll-margin-top: 1rem; }
.lead { color: var(--soft); margin: 0.375rem 0 1.25rem; max-width: 48rem; text-wrap: pretty; }
.beside { display: grid; grid-template-columns: minmax(0, 1.75fr) minmax(0, 1fr); gap: 2rem; align-items: start; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; color: var(--soft); font-size: 0.875rem; }
.legend span { display: inline-flex; align-items: center; gap: 0.375rem; }
p.legend { margin-bottom: 0.75rem; }
.beside .legend { margin-top: 0.5rem; padding-left: 0.75rem; }
.chart { display: block; width: 100%; height: auto; font: 13px var(--sans); overflow: visible; }
.chart.key { width: 22px; flex: none; }
.chart .grid { stroke: var(--line); }
.chart .axis { stroke: var(--soft); }
.chart .tick, .chart .title { fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart .band { fill: var(--band); }
.chart .curve { fill: none; stroke: var(--keep); stroke-width: 2; stroke-linejoin: round; }
.chart .drop { stroke: var(--keep); stroke-dasharray: 3 4; }
.chart .mark { stroke: var(--keep); stroke-width: 2; fill: var(--keep); }
.chart .mark.clean { fill: var(--ground); }
.chart .mark.ring { fill: var(--ground); stroke-width: 1.5; }
.chart .value {
  fill: var(--ink); font-weight: 600; paint-order: stroke; stroke: var(--ground); stroke-width: 4px;
  stroke-linejoin: round;
}
.narrow { display: none; }
.bar {
  display: block; width: 100%; height: 12px; background: var(--faint); border-radius: 3px; overflow: hidden;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; box-shadow: inset 0 0 0 1px var(--line);
}
.bar .keep { fill: var(--keep); }
.bar .lost { fill: url(#hatch); }
.hatch-ground { fill: var(--lost-ground); }
.hatch-line { fill: var(--lost); }
.swatch {
  width: 22px; height: 12px; border-radius: 3px; flex: none; print-color-adjust: exact;
  -webkit-print-color-adjust: exact;
}
.swatch.keep { background: var(--keep); }
.swatch.lost { background: repeating-linear-gradient(135deg, var(--lost) 0 2.4px, var(--lost-ground) 2.4px 6px); }
.swatch.wrong { background: var(--faint); box-shadow: inset 0 0 0 1px var(--line); }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; }
caption { text-align: left; color: var(--soft); font-size: 0.875rem; padding-bottom: 0.5rem; }
.data {
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px; border-collapse: separate;
  border-spacing: 0;
}
.data caption { caption-side: top; }
.data th, .data td {
  padding: 0.5rem 0.875rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line);
  font-weight: 400;
}
.data thead th { border-top: 0; color: var(--soft); font-size: 0.8125rem; line-height: 1.35; vertical-align: bottom; }
.data .num { text-align: right; }
.data thead th, .data .num { overflow-wrap: break-word; }
.plain :is(th, td):not(.num) { min-width: 4.5rem; }
.data .name { min-width: 7.5rem; }
.data td.num { white-space: nowrap; }
.data .meter { min-width: 9rem; }
.data .meter .bar { height: 6px; margin-top: 0.25rem; }
.data .wide-bar { width: 32%; vertical-align: middle; }
.cards-form .name { width: 30%; }
.compact tbody th, .compact td { padding-block: 0.3125rem; vertical-align: middle; }
.plain th, .plain td { padding-inline: 0.75rem; }
.tag {
  border: 1px solid var(--keep); color: var(--keep); border-radius: 4px; padding: 0 0.3125rem; font-size: 0.75rem;
  white-space: nowrap;
}
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--keep); width: fit-content; padding: 0.25rem 0; }
details table { margin-top: 1rem; }
.scroll { overflow-x: auto; }
.matrix { width: auto; border-collapse: separate; border-spacing: 2px; font-size: 0.875rem; }
.matrix th { font-weight: 400; color: var(--soft); padding: 0.125rem 0.375rem; }
.matrix tbody th { text-align: right; white-space: nowrap; }
.matrix th span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.matrix tbody th span { display: block; max-width: 9rem; }
.matrix .corner { text-align: right; font-size: 0.75rem; vertical-align: bottom; white-space: nowrap; }
.matrix.long thead th:not(.corner) { vertical-align: bottom; padding: 0.25rem 0; }
.matrix.long thead th:not(.corner) span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 8rem; line-height: 1.2; }
.matrix td {
  min-width: 2.75rem; height: 2.125rem; text-align: center; border-radius: 3px; print-color-adjust: exact;
  -webkit-print-color-adjust: exact;
}
.matrix .right { box-shadow: inset 0 0 0 1.5px var(--keep); font-weight: 600; }
.matrix .zero { color: var(--soft); background: var(--faint); font-size: 0.8125em; }
.matrix .wrong { background: color-mix(in srgb, var(--heat) var(--depth), var(--paper)); }
.matrix .deep { font-weight: 600; }
.flow { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; }
.framed { width: min-content; min-width: min(100%, 22rem); max-width: 100%; }
.framed .note { margin-bottom: 0.5rem; }
details .framed { margin-top: 1rem; }
.flow > .data { flex: 1 1 20rem; width: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); gap: 1rem; }
.example {
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.125rem;
  break-inside: avoid;
}
.truth { font-weight: 400; color: var(--soft); }
.triple { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 0.75rem; margin: 0.75rem 0; }
.triple img, .triple .values {
  display: block; width: 100%; height: auto; border-radius: 4px; border: 1px solid var(--line);
  print-color-adjust: exact; -webkit-print-color-adjust: exact;
}
.triple .pixels { image-rendering: pixelated; }
.triple .strip { height: 4.5rem; image-rendering: pixelated; }
.triple .values { height: 5.5rem; background: var(--faint); }
.values rect { fill: var(--keep); }
.triple figcaption { margin-top: 0.375rem; font-size: 0.9375rem; line-height: 1.4; }
.role { display: block; color: var(--soft); font-size: 0.8125rem; }
.says { font-weight: 600; }
.says.right { color: var(--keep); }
.says.wrong { color: var(--lost); }
.command { margin-bottom: 1.25rem; }
.command figcaption { color: var(--soft); font-size: 0.875rem; margin-bottom: 0.25rem; }
pre {
  margin: 0; padding: 0.75rem 1rem; background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
  white-space: pre-wrap;
}
.groups { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.5rem 2.5rem; }
.group dl { margin-top: 0.375rem; font-size: 0.9375rem; }
.group dl > div {
  display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: 0.75rem; padding: 0.3125rem 0;
  border-top: 1px solid var(--line);
}
dt { color: var(--soft); }
.hash { word-break: break-all; }
footer { max-width: 70rem; margin: 2.5rem auto 0; padding: 1rem 1.5rem 2rem; color: var(--soft); font-size: 0.875rem; }
@media screen and (max-width: 60rem) {
  .beside { grid-template-columns: minmax(0, 1fr); gap: 1.5rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
@media screen and (max-width: 44rem) {
  main { padding: 1.5rem 1rem 0.5rem; }
  footer { padding-inline: 1rem; }
  .verdict { font-size: 1.1875rem; }
  .doubts { padding: 1rem; }
  .doubts li { grid-template-columns: minmax(0, 1fr); }
  .groups { grid-template-columns: minmax(0, 1fr); }
  .plain th, .plain td { padding-inline: 0.5rem; }
  .data:is(.cards-form, .compact) { display: block; border: 0; background: none; }
  .data:is(.cards-form, .compact) :is(caption, tbody) { display: block; }
  .data:is(.cards-form, .compact) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .data:is(.cards-form, .compact) tr {
    display: grid; gap: 0.25rem 0.75rem; background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
    padding: 0.625rem 0.875rem; margin-bottom: 0.625rem;
  }
  .data:is(.cards-form, .compact) :is(th, td) { display: block; border: 0; padding: 0; width: auto; min-width: 0; text-align: left; white-space: normal; }
  .data:is(.cards-form, .compact) tbody th { font-weight: 600; }
  .data:is(.cards-form, .compact) td::before { content: attr(data-label); color: var(--soft); font-size: 0.8125rem; }
  .data.cards-form td { display: grid; grid-template-columns: 9rem minmax(0, 1fr); column-gap: 0.75rem; align-items: baseline; }
  .cards-form td > * { grid-column: 2; }
  .data.compact tr { grid-template-columns: repeat(10, minmax(0, 1fr)); column-gap: 0.25rem; }
  .data.compact :is(th, td) { grid-column: span 3; }
  .data.compact :is(th, th + td) { grid-column: span 5; }
  .data.compact th + td { text-align: right; }
  .data.compact td:last-child { grid-column: span 4; }
  .compact th + td::before { margin-right: 0.375rem; }
  .data.compact td:not(th + td)::before { display: block; }
  .data.compact td.wide-bar { grid-column: 1 / -1; }
  .data.compact td.wide-bar::before { display: none; }
  .matrix { font-size: 0.75rem; border-spacing: 1px; }
  .matrix td { min-width: 1.5rem; height: 1.625rem; }
  .matrix .corner { font-size: 0.6875rem; }
  .matrix tbody th span { max-width: 5rem; }
  .matrix th { padding: 0 0.1875rem; }
}
@media screen and (max-width: 34rem) {
  .wide { display: none; }
  .narrow { display: block; }
  .group dl > div { grid-template-columns: 6.5rem minmax(0, 1fr); }
  .tiles { gap: 0.625rem; }
  .tile { padding: 0.75rem 0.875rem; }
  .tile .figure { font-size: 1.25rem; }
  .triple { gap: 0.5rem; }
  .triple figcaption { font-size: 0.875rem; }
}
@media print {
  :root {
    --ground: #ffffff; --paper: #ffffff; --ink: #000000; --soft: #444c55; --line: #c8ced5; --faint: #eef1f4;
    --keep: #0b67a8; --lost: #b84f08; --lost-ground: #f7dcc6; --band: rgba(11, 103, 168, 0.16); --heat: #d9660f;
    --warn: #6f4800; --warn-ground: #ffffff; --warn-line: #9a7412;
  }
  html { font-size: 13px; }
  body { font-size: 1rem; }
  main, footer { max-width: none; padding: 0; }
  .matrix { border-spacing: 1px; }
  .matrix td { min-width: 1.75rem; }
  .matrix tbody th span { max-width: 6rem; }
  nav { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .tiles { grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.625rem; }
  .tile .figure { font-size: 1.25rem; }
  .beside { grid-template-columns: minmax(0, 1fr); gap: 1.25rem; }
  .beside figure { max-width: 34rem; }
  .data th, .data td { padding-inline: 0.5rem; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .scroll { overflow: visible; }
  h2, h3, .lead, caption { break-after: avoid; }
  tr, figure, .tile, .group, .doubts li { break-inside: avoid; }
}
`;
