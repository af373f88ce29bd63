/** A product of small matrices, `[M, K] [K, N]`, that the invocations of a subgroup compute together, summed in f32. */
export interface MatrixKind {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Type of both operands. */
  readonly type: "f16" | "f32";
}

/** The units of an adapter that multiply matrices. */
export interface MatrixUnits {
  /** The feature's name; WGSL enables it by the same, with underscores. */
  readonly feature: string;
  /** Invocations of the largest subgroup. */
  readonly lanes: number;
  /** The kinds that kernels use: for each type, the one of most products. At least one. */
  readonly kinds: readonly MatrixKind[];
}

/** A product as an adapter lists it. */
interface MatrixConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: string;
  readonly resultComponentType: string;
}

interface MatrixInfo extends GPUAdapterInfo {
  readonly subgroupMatrixConfigs?: readonly MatrixConfig[];
}

/** Names of the feature, the preferred one first. */
export const MATRIX_FEATURES = ["subgroup-matrix", "chromium-experimental-subgroup-matrix"].map(
  (name) => name as GPUFeatureName,
);

const TYPES = ["f16", "f32"] as const;
const MOST_LANES = 256; // invocations of a workgroup by WebGPU's default limits
const FOUR = 4; // elements that kernels load and store at a time

const featureOf = ({ features }: GPUAdapter): GPUFeatureName | undefined =>
  MATRIX_FEATURES.find((name) => features.has(name));

/** The products that the adapter lists. */
const configsOf = (adapter: GPUAdapter): readonly MatrixConfig[] =>
  featureOf(adapter) === undefined ? [] : [...((adapter.info as MatrixInfo).subgroupMatrixConfigs ?? [])];

/** Describes every kind of matrices that the adapter's subgroups multiply, as "16x16x16 f16 to f32". */
export const describeMatrices = (adapter: GPUAdapter): readonly string[] =>
  configsOf(adapter).map(
    ({ M, N, K, componentType, resultComponentType }) => `${M}x${N}x${K} ${componentType} to ${resultComponentType}`,
  );

/** The adapter's units as kernels use them; null if there are none, or none that a kernel can use. */
export function matrixUnits(adapter: GPUAdapter): MatrixUnits | null {
  const { subgroupMaxSize: lanes = 0 } = adapter.info;
  const feature = featureOf(adapter);
  const fitting = configsOf(adapter)
    .filter(({ M, N, K }) => [M, N, K].every((extent) => extent > 0 && extent % FOUR === 0))
    .filter(({ componentType, resultComponentType }) => {
      const isThere = componentType !== "f16" || adapter.features.has("shader-f16");
      return isThere && resultComponentType === "f32";
    })
    .map(({ M, N, K, componentType }) => ({ m: M, n: N, k: K, type: componentType }));
  const productsOf = ({ m, n, k }: (typeof fitting)[number]): number => m * n * k;
  const kinds = TYPES.flatMap((type): readonly MatrixKind[] => {
    const [most] = fitting.filter((kind) => kind.type === type).sort((a, b) => productsOf(b) - productsOf(a));
    return most ? [{ ...most, type }] : [];
  });
  if (feature === undefined || kinds.length === 0 || !(lanes > 0 && lanes <= MOST_LANES)) return null;
  return { feature, lanes, kinds };
}
