/**
 * The messages of an ONNX file as plain readonly objects, one interface a message, names in camelCase. A field that the
 * file does not set is absent. Source: the protocol-buffer schema of ONNX 1.23 (IR version 14).
 *
 * - Bytes are views of the file, never copies; they may start at any offset.
 * - 64-bit integers that only small values make sense for (dims, versions) are numbers, and a file with others is
 *   refused; where any value is legal, the type is `Int64`.
 * - `unknown` holds, raw and in order, the fields that this build does not know. They are written back behind the
 *   others, so a newer file survives a rewrite.
 */

/** A 64-bit integer: a number where that is exact (up to 2^53 - 1 in size), else a bigint. */
export type Int64 = number | bigint;

/** Raw fields (tag, length and content) that the reader does not know. */
export interface Message {
  readonly unknown?: readonly Uint8Array[];
}

export interface ModelProto extends Message {
  readonly irVersion?: number;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: Int64;
  readonly docString?: string;
  readonly graph?: GraphProto;
  readonly opsetImport?: readonly OperatorSetIdProto[];
  readonly metadataProps?: readonly StringStringEntryProto[];
  readonly trainingInfo?: readonly TrainingInfoProto[];
  readonly functions?: readonly FunctionProto[];
  readonly configuration?: readonly DeviceConfigurationProto[];
}

export interface OperatorSetIdProto extends Message {
  /** `""` and absent both mean the standard operators, `ai.onnx`. */
  readonly domain?: string;
  readonly version?: number;
}

export interface StringStringEntryProto extends Message {
  readonly key?: string;
  readonly value?: string;
}

export interface TrainingInfoProto extends Message {
  readonly initialization?: GraphProto;
  readonly algorithm?: GraphProto;
  readonly initializationBinding?: readonly StringStringEntryProto[];
  readonly updateBinding?: readonly StringStringEntryProto[];
}

export interface GraphProto extends Message {
  readonly node?: readonly NodeProto[];
  readonly name?: string;
  readonly initializer?: readonly TensorProto[];
  readonly docString?: string;
  readonly input?: readonly ValueInfoProto[];
  readonly output?: readonly ValueInfoProto[];
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly quantizationAnnotation?: readonly TensorAnnotationProto[];
  readonly sparseInitializer?: readonly SparseTensorProto[];
  readonly metadataProps?: readonly StringStringEntryProto[];
}

export interface NodeProto extends Message {
  /** Names of values; `""` stands for an optional input that is not given. */
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly name?: string;
  readonly opType?: string;
  readonly attribute?: readonly AttributeProto[];
  readonly docString?: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly metadataProps?: readonly StringStringEntryProto[];
  readonly deviceConfigurations?: readonly NodeDeviceConfigurationProto[];
}

/** A named constant of a node; `type` (`ATTRIBUTE_TYPES`) says which one of the value fields holds it. */
export interface AttributeProto extends Message {
  readonly name?: string;
  readonly f?: number;
  readonly i?: Int64;
  /** UTF-8 text as a rule, but any bytes are legal; `decodeText` reads it. */
  readonly s?: Uint8Array;
  readonly t?: TensorProto;
  readonly g?: GraphProto;
  readonly floats?: readonly number[];
  readonly ints?: readonly Int64[];
  readonly strings?: readonly Uint8Array[];
  readonly tensors?: readonly TensorProto[];
  readonly graphs?: readonly GraphProto[];
  readonly docString?: string;
  readonly tp?: TypeProto;
  readonly typeProtos?: readonly TypeProto[];
  readonly type?: number;
  /** In a function body: the attribute of the calling node that gives the value. */
  readonly refAttrName?: string;
  readonly sparseTensor?: SparseTensorProto;
  readonly sparseTensors?: readonly SparseTensorProto[];
}

/**
 * A tensor. Its values stand in exactly one of the data fields, each kept as the bytes of the file:
 * `rawData` little-endian elements; `floatData` and `doubleData` likewise, 4 and 8 bytes each; `int32Data`, `int64Data`
 * and `uint64Data` runs of varints. `tensorFromProto` gives the values, `tensorToProto` makes a message from them.
 */
export interface TensorProto extends Message {
  readonly dims?: readonly number[];
  /** A code of `DATA_TYPES`. */
  readonly dataType?: number;
  readonly segment?: SegmentProto;
  readonly floatData?: Uint8Array;
  readonly int32Data?: Uint8Array;
  readonly stringData?: readonly Uint8Array[];
  readonly int64Data?: Uint8Array;
  readonly name?: string;
  readonly rawData?: Uint8Array;
  readonly doubleData?: Uint8Array;
  readonly uint64Data?: Uint8Array;
  readonly docString?: string;
  /** `location`, `offset`, `length`, `checksum` of values in another file. */
  readonly externalData?: readonly StringStringEntryProto[];
  /** 0 or absent: inside this message; 1: in another file. */
  readonly dataLocation?: number;
  readonly metadataProps?: readonly StringStringEntryProto[];
}

export interface SegmentProto extends Message {
  readonly begin?: Int64;
  readonly end?: Int64;
}

/** Non-zero values [n] and where they stand: indices [n] into the flattened tensor, or [n, rank]. */
export interface SparseTensorProto extends Message {
  readonly values?: TensorProto;
  readonly indices?: TensorProto;
  readonly dims?: readonly number[];
}

export interface TensorAnnotationProto extends Message {
  readonly tensorName?: string;
  readonly quantParameterTensorNames?: readonly StringStringEntryProto[];
}

export interface ValueInfoProto extends Message {
  readonly name?: string;
  readonly type?: TypeProto;
  readonly docString?: string;
  readonly metadataProps?: readonly StringStringEntryProto[];
}

/** A type: one of the `...Type` fields is set. */
export interface TypeProto extends Message {
  readonly tensorType?: TensorTypeProto;
  readonly sequenceType?: ElementTypeProto;
  readonly mapType?: MapTypeProto;
  readonly denotation?: string;
  readonly opaqueType?: OpaqueTypeProto;
  readonly sparseTensorType?: TensorTypeProto;
  readonly optionalType?: ElementTypeProto;
}

/** Type of a dense or sparse tensor. */
export interface TensorTypeProto extends Message {
  /** A code of `DATA_TYPES`. */
  readonly elemType?: number;
  /** Absent: not even the rank is known. */
  readonly shape?: TensorShapeProto;
}

/** Element type of a sequence or of an optional value. */
export interface ElementTypeProto extends Message {
  readonly elemType?: TypeProto;
}

export interface MapTypeProto extends Message {
  readonly keyType?: number;
  readonly valueType?: TypeProto;
}

export interface OpaqueTypeProto extends Message {
  readonly domain?: string;
  readonly name?: string;
}

export interface TensorShapeProto extends Message {
  readonly dim?: readonly DimensionProto[];
}

/** A size: a number, a name, or (neither) unknown. */
export interface DimensionProto extends Message {
  readonly dimValue?: number;
  readonly dimParam?: string;
  readonly denotation?: string;
}

/** An operator defined by other operators. */
export interface FunctionProto extends Message {
  readonly name?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly attribute?: readonly string[];
  readonly node?: readonly NodeProto[];
  readonly docString?: string;
  readonly opsetImport?: readonly OperatorSetIdProto[];
  readonly domain?: string;
  readonly attributeProto?: readonly AttributeProto[];
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly overload?: string;
  readonly metadataProps?: readonly StringStringEntryProto[];
}

// How a graph is spread over devices (IR version 11). Kept for other programs; nothing here reads it.

export interface DeviceConfigurationProto extends Message {
  readonly name?: string;
  readonly numDevices?: number;
  readonly device?: readonly string[];
}

export interface NodeDeviceConfigurationProto extends Message {
  readonly configurationId?: string;
  readonly shardingSpec?: readonly ShardingSpecProto[];
  readonly pipelineStage?: number;
}

export interface ShardingSpecProto extends Message {
  readonly tensorName?: string;
  readonly device?: readonly Int64[];
  readonly indexToDeviceGroupMap?: readonly IntIntListEntryProto[];
  readonly shardedDim?: readonly ShardedDimProto[];
}

export interface IntIntListEntryProto extends Message {
  readonly key?: Int64;
  readonly value?: readonly Int64[];
}

export interface ShardedDimProto extends Message {
  readonly axis?: Int64;
  readonly simpleSharding?: readonly SimpleShardedDimProto[];
}

export interface SimpleShardedDimProto extends Message {
  readonly dimValue?: Int64;
  readonly dimParam?: string;
  readonly numShards?: Int64;
}
