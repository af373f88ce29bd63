// subgroup_product: a matrix product in half precision for GPUs with units that multiply small matrices.
//
//   a        [G, M, K]     pack   or [G, K, M] with TRANSPOSE_A
//   b        [G, K, N]     pack   or [G, N, K] with TRANSPOSE_B
//   bias     [N]           pack
//   output   [G, M, N]     pack
//   partial  [G, S, M, N]  f32    with SLICED: S slices of the sum over K, without f, which `reduce` adds in order
//
//   output[g,m,n] = f(bias[n] + sum over k of  a[g,m,k] * b[g,k,n]),   f of prelude/activation.wgsl
//
// The other forms of `matmul` have the same definition. This one needs the feature chromium-experimental-subgroup-matrix: matrices of
// 16 x 16 that a subgroup holds together, f16 by f16 summed in f32, in an order that the hardware chooses.
//
// Cost: a workgroup reads 16 SUBGROUPS + 64 elements for 1024 SUBGROUPS multiply-adds, so each element of a is read N / 64 times from memory,
// each of b M / (16 SUBGROUPS) times. For five matrices that a subgroup loads from workgroup memory it multiplies four times.

enable chromium_experimental_subgroup_matrix;

// True if the operand is stored transposed.
override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
// True if slices are stored, in partial; false if the product is, in output. The other one is bound but never written.
override SLICED: bool = false;
// Subgroups that own 16 rows of the output each. WORKGROUP_SIZE is that many of the largest that the device has: where they are smaller,
// there are more, which only load.
override SUBGROUPS: u32 = 4;

struct Params {
  batch: u32,   // G
  m: u32,       // M, rows of the output
  n: u32,       // N, columns of the output, a multiple of PACK
  k: u32,       // K, summed over
  depth: u32,   // of k, summed by one slice; a multiple of DEPTH
  slices: u32,  // S
  bias: u32,    // 1 if bias is added (to the first slice); with 0, bias is bound but never read
  activation: u32, // f, by its number in prelude/activation.wgsl
  leak: f32,    // leaky relu's slope below zero
}

@group(0) @binding(0) var<storage, read> a: array<pack>;
@group(0) @binding(1) var<storage, read> b: array<pack>;
@group(0) @binding(2) var<storage, read> bias: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> partial: array<accum>;
@group(1) @binding(0) var<uniform> params: Params;

const SIDE = 16u;     // of a matrix
const MATRICES = 4u;  // of sums, beside each other, of a subgroup
const COLUMNS = MATRICES * SIDE; // of the output, owned by one workgroup
const DEPTH = 32u;    // of k, in workgroup memory at a time

// Tiles of both operands by rows, and a matrix of sums of each subgroup. Eight elements to spare a row: rows of a matrix lie in other banks,
// and begin at multiples of 16 bytes.
const A_STRIDE = DEPTH + 8u;
const B_STRIDE = COLUMNS + 8u;
var<workgroup> a_tile: array<elem, SUBGROUPS * SIDE * A_STRIDE>;
var<workgroup> b_tile: array<elem, DEPTH * B_STRIDE>;
var<workgroup> result: array<f32, SUBGROUPS * SIDE * SIDE>;

// Four consecutive elements of a row of `extent`, from column `at`. Past the end of the row they are zero.
fn a_four(row: u32, at: u32, extent: u32) -> vec4f {
  var values = vec4f();
  if (at >= extent) { return values; }
  let first = row * extent + at;
  if (PACK == 4u) { return vec4f(accum(a[first / PACK])); }
  for (var lane = 0u; lane < min(4u, extent - at); lane++) { values[lane] = pack_lane(accum(a[first + lane]), 0u); }
  return values;
}

fn b_four(row: u32, at: u32, extent: u32) -> vec4f {
  var values = vec4f();
  if (at >= extent) { return values; }
  let first = row * extent + at;
  if (PACK == 4u) { return vec4f(accum(b[first / PACK])); }
  for (var lane = 0u; lane < min(4u, extent - at); lane++) { values[lane] = pack_lane(accum(b[first + lane]), 0u); }
  return values;
}

fn bias_four(n: u32) -> vec4f {
  if (PACK == 4u) { return vec4f(accum(bias[n / PACK])); }
  var values = vec4f();
  for (var lane = 0u; lane < min(4u, params.n - n); lane++) { values[lane] = pack_lane(accum(bias[n + lane]), 0u); }
  return values;
}

fn store(at: u32, value: accum) {
  if (SLICED) { partial[at] = value; } else { output[at] = pack(activated(params.activation, params.leak, value)); }
}

fn store_four(row: u32, n: u32, values: vec4f) {
  let first = row * params.n + n;
  if (PACK == 4u) { store(first / PACK, accum_from(values)); return; }
  for (var lane = 0u; lane < min(4u, params.n - n); lane++) { store(first + lane, accum_from(vec4f(values[lane]))); }
}

// One workgroup per tile of 16 SUBGROUPS rows and 64 columns of one slice. Its invocations load fours of both operands, neighbouring lanes what
// lies beside each other in memory; then each subgroup adds to the matrices of its rows. The same shape gives the same sums, in an order of
// the hardware's.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let i = group.y * groups.x + group.x;
  let rows = SUBGROUPS * SIDE;
  let column_tiles = (params.n + COLUMNS - 1u) / COLUMNS;
  let row_tiles = (params.m + rows - 1u) / rows;
  let first_n = i % column_tiles * COLUMNS;
  let first_m = i / column_tiles % row_tiles * rows;
  let slice = i / column_tiles / row_tiles % params.slices;
  let g = i / column_tiles / row_tiles / params.slices;
  if (g >= params.batch) { return; }

  let a_width = select(DEPTH, rows, TRANSPOSE_A) / 4u; // fours of a row, as stored
  let b_width = select(COLUMNS, DEPTH, TRANSPOSE_B) / 4u;

  var sums: array<Sums, MATRICES>;
  let end = min((slice + 1u) * params.depth, params.k);
  for (var k = slice * params.depth; k < end; k += DEPTH) {
    for (var at = lane; at < rows * DEPTH / 4u; at += WORKGROUP_SIZE) {
      let row = at / a_width;
      let column = at % a_width * 4u;
      var four = vec4f();
      if (TRANSPOSE_A) {
        if (k + row < params.k) { four = a_four(g * params.k + k + row, first_m + column, params.m); }
        for (var j = 0u; j < 4u; j++) { a_tile[(column + j) * A_STRIDE + row] = elem(four[j]); }
      } else {
        if (first_m + row < params.m) { four = a_four(g * params.m + first_m + row, k + column, params.k); }
        for (var j = 0u; j < 4u; j++) { a_tile[row * A_STRIDE + column + j] = elem(four[j]); }
      }
    }
    for (var at = lane; at < COLUMNS * DEPTH / 4u; at += WORKGROUP_SIZE) {
      let row = at / b_width;
      let column = at % b_width * 4u;
      var four = vec4f();
      if (TRANSPOSE_B) {
        if (first_n + row < params.n) { four = b_four(g * params.n + first_n + row, k + column, params.k); }
        for (var j = 0u; j < 4u; j++) { b_tile[(column + j) * B_STRIDE + row] = elem(four[j]); }
      } else {
        if (k + row < params.k) { four = b_four(g * params.k + k + row, first_n + column, params.n); }
        for (var j = 0u; j < 4u; j++) { b_tile[row * B_STRIDE + column + j] = elem(four[j]); }
      }
    }
    workgroupBarrier();
    if (subgroup < SUBGROUPS) {
      for (var step = 0u; step < DEPTH; step += SIDE) {
        let left = load_left(subgroup * SIDE * A_STRIDE + step);
        for (var c = 0u; c < MATRICES; c++) { sums[c] = multiply_add(left, load_right(step * B_STRIDE + c * SIDE), sums[c]); }
      }
    }
    workgroupBarrier();
  }

  for (var c = 0u; c < MATRICES; c++) {
    if (subgroup < SUBGROUPS) { store_sums(subgroup * SIDE * SIDE, sums[c]); }
    workgroupBarrier();
    for (var at = lane; at < rows * SIDE / 4u; at += WORKGROUP_SIZE) {
      let m = first_m + at / 4u;
      let n = first_n + c * SIDE + at % 4u * 4u;
      if (m < params.m && n < params.n) {
        var values = vec4f(result[4u * at], result[4u * at + 1u], result[4u * at + 2u], result[4u * at + 3u]);
        if (params.bias == 1u && slice == 0u) { values += bias_four(n); }
        store_four((g * params.slices + slice) * params.m + m, n, values);
      }
    }
    workgroupBarrier();
  }
}

// Subgroup matrices, all that there is of them: tests put arithmetic of their own in place of what follows.
alias Left = subgroup_matrix_left<elem, 16, 16>;
alias Right = subgroup_matrix_right<elem, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&a_tile, at, A_STRIDE); }
fn load_right(at: u32) -> Right { return subgroupMatrixLoad<Right, row_major>(&b_tile, at, B_STRIDE); }
fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums { return subgroupMatrixMultiplyAccumulate(left, right, sums); }
fn store_sums(at: u32, sums: Sums) { subgroupMatrixStore<row_major>(&result, at, sums, SIDE); }
