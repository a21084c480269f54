import type * as proto from "./types.ts";

/**
 * How one value of a field stands on the wire and in memory. `int` and `int32` are numbers and refuse what does not fit;
 * `int64` keeps big values as bigint. A `run` is a list of numbers kept as its packed bytes: elements of 4 or 8 bytes,
 * or varints.
 */
export type Kind = "int" | "int32" | "int64" | "float" | "string" | "bytes" | "message" | "run4" | "run8" | "runVarint";

export interface Field {
  readonly key: string;
  readonly number: number;
  readonly kind: Kind;
  /** A repeated field: an array of values in memory. */
  readonly list: boolean;
  /** Fields of the message, where `kind` is `message`. A function, because messages contain each other. */
  readonly table: () => Table;
  /** Keys that may not be set beside this one: the last one in the file wins. */
  readonly rivals: readonly string[];
}

/** The fields of one message in the order of their numbers, in which they are written. */
export interface Table {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly byNumber: readonly (Field | undefined)[];
}

type Listed<K extends string> = K | `${K}[]`;
type Row = readonly [number, Listed<Exclude<Kind, "message">>] | readonly [number, Listed<"message">, () => Table];
/** Every field of the interface must have a row, so the two cannot drift apart. */
type Rows<T> = { readonly [K in Exclude<keyof T, "unknown">]-?: Row };

const noTable = (): Table => ({ name: "", fields: [], byNumber: [] });

const define = <T extends proto.Message>(
  name: string,
  rows: Rows<T>,
  oneof: readonly Exclude<keyof T, "unknown">[] = [],
): Table => {
  const choices = oneof as readonly string[];
  const fields = Object.entries<Row>(rows)
    .map(([key, [number, kind, table]]) => ({
      key,
      number,
      kind: kind.replace("[]", "") as Kind,
      list: kind.endsWith("[]"),
      table: table ?? noTable,
      rivals: choices.includes(key) ? choices.filter((other) => other !== key) : [],
    }))
    .sort((a, b) => a.number - b.number);
  const byNumber: (Field | undefined)[] = [];
  for (let i = 0; i <= (fields.at(-1)?.number ?? 0); i++) byNumber.push(fields.find((field) => field.number === i));
  return { name, fields, byNumber };
};

const Entry: Table = define<proto.StringStringEntryProto>("StringStringEntryProto", {
  key: [1, "string"],
  value: [2, "string"],
});
const OpsetId: Table = define<proto.OperatorSetIdProto>("OperatorSetIdProto", {
  domain: [1, "string"],
  version: [2, "int"],
});

const Segment: Table = define<proto.SegmentProto>("Segment", { begin: [1, "int64"], end: [2, "int64"] });

export const TENSOR: Table = define<proto.TensorProto>("TensorProto", {
  dims: [1, "int[]"],
  dataType: [2, "int32"],
  segment: [3, "message", () => Segment],
  floatData: [4, "run4"],
  int32Data: [5, "runVarint"],
  stringData: [6, "bytes[]"],
  int64Data: [7, "runVarint"],
  name: [8, "string"],
  rawData: [9, "bytes"],
  doubleData: [10, "run8"],
  uint64Data: [11, "runVarint"],
  docString: [12, "string"],
  externalData: [13, "message[]", () => Entry],
  dataLocation: [14, "int32"],
  metadataProps: [16, "message[]", () => Entry],
});
const SparseTensor: Table = define<proto.SparseTensorProto>("SparseTensorProto", {
  values: [1, "message", () => TENSOR],
  indices: [2, "message", () => TENSOR],
  dims: [3, "int[]"],
});
const TensorAnnotation: Table = define<proto.TensorAnnotationProto>("TensorAnnotation", {
  tensorName: [1, "string"],
  quantParameterTensorNames: [2, "message[]", () => Entry],
});

const Dimension: Table = define<proto.DimensionProto>(
  "Dimension",
  { dimValue: [1, "int"], dimParam: [2, "string"], denotation: [3, "string"] },
  ["dimValue", "dimParam"],
);
const TensorShape: Table = define<proto.TensorShapeProto>("TensorShapeProto", {
  dim: [1, "message[]", () => Dimension],
});
const TensorType: Table = define<proto.TensorTypeProto>("TypeProto.Tensor", {
  elemType: [1, "int32"],
  shape: [2, "message", () => TensorShape],
});
const ElementType: Table = define<proto.ElementTypeProto>("TypeProto.Sequence", {
  elemType: [1, "message", () => Type],
});
const MapType: Table = define<proto.MapTypeProto>("TypeProto.Map", {
  keyType: [1, "int32"],
  valueType: [2, "message", () => Type],
});
const OpaqueType: Table = define<proto.OpaqueTypeProto>("TypeProto.Opaque", {
  domain: [1, "string"],
  name: [2, "string"],
});
const Type: Table = define<proto.TypeProto>(
  "TypeProto",
  {
    tensorType: [1, "message", () => TensorType],
    sequenceType: [4, "message", () => ElementType],
    mapType: [5, "message", () => MapType],
    denotation: [6, "string"],
    opaqueType: [7, "message", () => OpaqueType],
    sparseTensorType: [8, "message", () => TensorType],
    optionalType: [9, "message", () => ElementType],
  },
  ["tensorType", "sequenceType", "mapType", "opaqueType", "sparseTensorType", "optionalType"],
);
const ValueInfo: Table = define<proto.ValueInfoProto>("ValueInfoProto", {
  name: [1, "string"],
  type: [2, "message", () => Type],
  docString: [3, "string"],
  metadataProps: [4, "message[]", () => Entry],
});

const IntIntListEntry: Table = define<proto.IntIntListEntryProto>("IntIntListEntryProto", {
  key: [1, "int64"],
  value: [2, "int64[]"],
});
const SimpleShardedDim: Table = define<proto.SimpleShardedDimProto>(
  "SimpleShardedDimProto",
  { dimValue: [1, "int64"], dimParam: [2, "string"], numShards: [3, "int64"] },
  ["dimValue", "dimParam"],
);
const ShardedDim: Table = define<proto.ShardedDimProto>("ShardedDimProto", {
  axis: [1, "int64"],
  simpleSharding: [2, "message[]", () => SimpleShardedDim],
});
const ShardingSpec: Table = define<proto.ShardingSpecProto>("ShardingSpecProto", {
  tensorName: [1, "string"],
  device: [2, "int64[]"],
  indexToDeviceGroupMap: [3, "message[]", () => IntIntListEntry],
  shardedDim: [4, "message[]", () => ShardedDim],
});
const NodeDeviceConfiguration: Table = define<proto.NodeDeviceConfigurationProto>("NodeDeviceConfigurationProto", {
  configurationId: [1, "string"],
  shardingSpec: [2, "message[]", () => ShardingSpec],
  pipelineStage: [3, "int32"],
});
const DeviceConfiguration: Table = define<proto.DeviceConfigurationProto>("DeviceConfigurationProto", {
  name: [1, "string"],
  numDevices: [2, "int32"],
  device: [3, "string[]"],
});

const Attribute: Table = define<proto.AttributeProto>("AttributeProto", {
  name: [1, "string"],
  f: [2, "float"],
  i: [3, "int64"],
  s: [4, "bytes"],
  t: [5, "message", () => TENSOR],
  g: [6, "message", () => Graph],
  floats: [7, "float[]"],
  ints: [8, "int64[]"],
  strings: [9, "bytes[]"],
  tensors: [10, "message[]", () => TENSOR],
  graphs: [11, "message[]", () => Graph],
  docString: [13, "string"],
  tp: [14, "message", () => Type],
  typeProtos: [15, "message[]", () => Type],
  type: [20, "int32"],
  refAttrName: [21, "string"],
  sparseTensor: [22, "message", () => SparseTensor],
  sparseTensors: [23, "message[]", () => SparseTensor],
});
const Node: Table = define<proto.NodeProto>("NodeProto", {
  input: [1, "string[]"],
  output: [2, "string[]"],
  name: [3, "string"],
  opType: [4, "string"],
  attribute: [5, "message[]", () => Attribute],
  docString: [6, "string"],
  domain: [7, "string"],
  overload: [8, "string"],
  metadataProps: [9, "message[]", () => Entry],
  deviceConfigurations: [10, "message[]", () => NodeDeviceConfiguration],
});
const Graph: Table = define<proto.GraphProto>("GraphProto", {
  node: [1, "message[]", () => Node],
  name: [2, "string"],
  initializer: [5, "message[]", () => TENSOR],
  docString: [10, "string"],
  input: [11, "message[]", () => ValueInfo],
  output: [12, "message[]", () => ValueInfo],
  valueInfo: [13, "message[]", () => ValueInfo],
  quantizationAnnotation: [14, "message[]", () => TensorAnnotation],
  sparseInitializer: [15, "message[]", () => SparseTensor],
  metadataProps: [16, "message[]", () => Entry],
});

const TrainingInfo: Table = define<proto.TrainingInfoProto>("TrainingInfoProto", {
  initialization: [1, "message", () => Graph],
  algorithm: [2, "message", () => Graph],
  initializationBinding: [3, "message[]", () => Entry],
  updateBinding: [4, "message[]", () => Entry],
});
const Function: Table = define<proto.FunctionProto>("FunctionProto", {
  name: [1, "string"],
  input: [4, "string[]"],
  output: [5, "string[]"],
  attribute: [6, "string[]"],
  node: [7, "message[]", () => Node],
  docString: [8, "string"],
  opsetImport: [9, "message[]", () => OpsetId],
  domain: [10, "string"],
  attributeProto: [11, "message[]", () => Attribute],
  valueInfo: [12, "message[]", () => ValueInfo],
  overload: [13, "string"],
  metadataProps: [14, "message[]", () => Entry],
});
export const MODEL: Table = define<proto.ModelProto>("ModelProto", {
  irVersion: [1, "int"],
  producerName: [2, "string"],
  producerVersion: [3, "string"],
  domain: [4, "string"],
  modelVersion: [5, "int64"],
  docString: [6, "string"],
  graph: [7, "message", () => Graph],
  opsetImport: [8, "message[]", () => OpsetId],
  metadataProps: [14, "message[]", () => Entry],
  trainingInfo: [20, "message[]", () => TrainingInfo],
  functions: [25, "message[]", () => Function],
  configuration: [26, "message[]", () => DeviceConfiguration],
});
