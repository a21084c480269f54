import { type Field, MODEL, type Table, TENSOR } from "./schema.ts";
import type { ModelProto, TensorProto } from "./types.ts";

type Fields = Readonly<Record<string, unknown>>;
/** @param place  the way to the tensor: `graph.node[3].attribute[0].t` */
type Change = (tensor: TensorProto, place: string) => TensorProto;

/**
 * The model with every dense tensor (initializers, parts of sparse ones, attributes; in sub-graphs and functions too)
 * replaced by what `change` gives. What does not change is shared with `model`.
 */
export const mapTensors = (model: ModelProto, change: Change): ModelProto =>
  mapMessage(model as Fields, MODEL, "", change) as ModelProto;

/** Every dense tensor of a model with the way to it. */
export const modelTensors = (model: ModelProto): { readonly tensor: TensorProto; readonly place: string }[] => {
  const found: { readonly tensor: TensorProto; readonly place: string }[] = [];
  mapTensors(model, (tensor, place) => {
    found.push({ tensor, place });
    return tensor;
  });
  return found;
};

const mapMessage = (message: Fields, table: Table, place: string, change: Change): Fields => {
  if (table === TENSOR) return change(message as TensorProto, place) as Fields;
  let changed: Record<string, unknown> | undefined;
  for (const field of table.fields) {
    const held = message[field.key];
    if (held === undefined || !leadsToTensors(field)) continue;
    const mapped = mapField(held, field, place === "" ? field.key : `${place}.${field.key}`, change);
    if (mapped !== held) (changed ??= { ...message })[field.key] = mapped;
  }
  return changed ?? message;
};

const mapField = (held: unknown, field: Field, place: string, change: Change): unknown => {
  if (!field.list) return mapMessage(held as Fields, field.table(), place, change);
  const list = held as readonly Fields[];
  const mapped = list.map((message, i) => mapMessage(message, field.table(), `${place}[${i}]`, change));
  return mapped.some((message, i) => message !== list[i]) ? mapped : held;
};

const leading = new Map<Field, boolean>();

/** Whether messages of a field can contain a tensor: shapes and types, most of a graph's messages, cannot. */
const leadsToTensors = (field: Field): boolean => {
  let leads = leading.get(field);
  if (leads === undefined) {
    leads = reachesTensors(field, new Set());
    leading.set(field, leads);
  }
  return leads;
};

const reachesTensors = (field: Field, seen: Set<Table>): boolean => {
  const table = field.table();
  if (table === TENSOR) return true;
  if (field.kind !== "message" || seen.has(table)) return false;
  seen.add(table);
  return table.fields.some((inner) => reachesTensors(inner, seen));
};
