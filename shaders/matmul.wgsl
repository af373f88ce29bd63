// matmul: batched matrix product, optionally of transposed operands, with a bias.
//
//   a        [G, M, K]     pack   or [G, K, M] with TRANSPOSE_A
//   b        [G, K, N]     pack   or [G, N, K] with TRANSPOSE_B
//   bias     [N]           pack
//   output   [G, M, N]     pack
//   partial  [G, S, M, N]  f32    with SLICED: S slices of the sum over K, without f, which `reduce` adds in order
//
//   output[g,m,n] = f(bias[n] + sum over k of  a[g,m,k] * b[g,k,n]),   f of prelude/activation.wgsl
//
// A 1x1 convolution is this product with M = N*H*W; its gradients are the transposed forms. PACK consecutive
// columns of the output travel together, so with pack = vec4 the number of columns is a multiple of four.
//
// Cost: at least M K + K N reads and M N writes, 2 M N K operations; a tile of 8 x 4 loads 12 packs of four for 128
// multiply-adds, so each element of a is read N / 4 times and each of b M / 8 times, mostly from caches.

// True if the operand is stored transposed.
override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
// True if slices are stored, in partial; false if the product is, in output. The other one is bound but never written.
override SLICED: bool = false;

struct Params {
  batch: u32,   // G
  m: u32,       // M, rows of the output
  n: u32,       // N, columns of the output, a multiple of PACK
  k: u32,       // K, summed over
  depth: u32,   // of k, summed by one slice; a multiple of four
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

// Rows of the output that one invocation owns.
const ROWS = 8u;

// Four consecutive elements of a row of `extent`, from column `at`. Past the end of the row they are zero.
fn a_four(row: u32, at: u32, extent: u32) -> vec4f {
  let first = row * extent + at;
  if (PACK == 4u) { return vec4f(accum(a[first / PACK])); }
  var values: vec4f;
  for (var lane = 0u; lane < 4u; lane++) {
    let inside = at + lane < extent;
    values[lane] = select(0.0, pack_lane(accum(a[select(first, first + lane, inside)]), 0u), inside); // a branch would take drivers long to compile
  }
  return values;
}

fn b_four(row: u32, at: u32, extent: u32) -> vec4f {
  let first = row * extent + at;
  if (PACK == 4u) { return vec4f(accum(b[first / PACK])); }
  var values: vec4f;
  for (var lane = 0u; lane < 4u; lane++) {
    let inside = at + lane < extent;
    values[lane] = select(0.0, pack_lane(accum(b[select(first, first + lane, inside)]), 0u), inside); // a branch would take drivers long to compile
  }
  return values;
}

// Four rows of a by four of the summed index: column i is row m + i. Rows past M repeat the last one and are not
// stored; past K everything is zero.
fn a_tile(g: u32, m: u32, k: u32) -> mat4x4f {
  var tile = mat4x4f();
  if (TRANSPOSE_A) {
    for (var i = 0u; i < 4u; i++) { if (k + i < params.k && m < params.m) { tile[i] = a_four(g * params.k + k + i, m, params.m); } }
    return transpose(tile);
  }
  for (var i = 0u; i < 4u; i++) { tile[i] = a_four(g * params.m + min(m + i, params.m - 1u), k, params.k); }
  return tile;
}

// Four of the summed index by four columns of b: column i is index k + i. Past K it is zero, as a is: a repeated infinity
// times zero would be no number. Packs of a that is not transposed end with K.
fn b_tile(g: u32, k: u32, n: u32) -> mat4x4f {
  var tile = mat4x4f();
  if (TRANSPOSE_B) {
    for (var i = 0u; i < 4u; i++) { tile[i] = b_four(g * params.n + min(n + i, params.n - 1u), k, params.k); }
    return transpose(tile);
  }
  for (var i = 0u; i < 4u; i++) {
    if ((PACK == 4u && !TRANSPOSE_A) || k + i < params.k) { tile[i] = b_four(g * params.k + k + i, n, params.n); }
  }
  return tile;
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

// One invocation per tile of ROWS rows and four columns of one slice: ROWS + 4 loads of four for 16 ROWS multiply-adds.
// Both forms sum over k in order, so they and all devices agree up to the rounding of fused multiply-adds.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let column_tiles = (params.n + 3u) / 4u;
  let row_tiles = (params.m + ROWS - 1u) / ROWS;
  if (i >= params.batch * params.slices * row_tiles * column_tiles) { return; }
  let n = i % column_tiles * 4u;
  let m = i / column_tiles % row_tiles * ROWS;
  let slice = i / column_tiles / row_tiles % params.slices;
  let g = i / column_tiles / row_tiles / params.slices;

  var sums: array<vec4f, ROWS>;
  let end = min((slice + 1u) * params.depth, params.k);
  for (var k = slice * params.depth; k < end; k += 4u) {
    let columns = b_tile(g, k, n);
    for (var first = 0u; first < ROWS; first += 4u) {
      let rows = a_tile(g, m + first, k);
      for (var r = 0u; r < 4u; r++) { sums[first + r] += columns * rows[r]; }
    }
  }
  var start = vec4f();
  if (params.bias == 1u && slice == 0u) { start = bias_four(n); }
  let row = (g * params.slices + slice) * params.m + m;
  for (var r = 0u; r < min(ROWS, params.m - m); r++) { store_four(row + r, n, sums[r] + start); }
}

const COLUMNS = select(4u, 8u, PACK == 4u); // columns that do not pack are few: coordinates, scores

// The same for adapters on which a load costs more than arithmetic unless it is the same for a whole workgroup, as on
// CPUs: lanes differ in their rows alone, so b is loaded once for all of them. One invocation per tile of four rows and
// COLUMNS columns, one workgroup per WORKGROUP_SIZE such tiles of equal columns.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_uniform_b(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let column_tiles = (params.n + COLUMNS - 1u) / COLUMNS;
  let row_tiles = (params.m + 4u * WORKGROUP_SIZE - 1u) / (4u * WORKGROUP_SIZE);
  let n = i % column_tiles * COLUMNS;
  let m = (i / column_tiles % row_tiles * WORKGROUP_SIZE + lane) * 4u;
  let slice = i / column_tiles / row_tiles % params.slices;
  let g = i / column_tiles / row_tiles / params.slices;
  if (g >= params.batch || m >= params.m) { return; }

  var sums: array<vec4f, COLUMNS>;
  let end = min((slice + 1u) * params.depth, params.k);
  for (var k = slice * params.depth; k < end; k += 4u) {
    let rows = a_tile(g, m, k);
    for (var c = 0u; c < COLUMNS; c += 4u) {
      if (n + c < params.n) {
        let columns = b_tile(g, k, n + c);
        for (var r = 0u; r < 4u; r++) { sums[c + r] += columns * rows[r]; }
      }
    }
  }
  let row = (g * params.slices + slice) * params.m + m;
  for (var c = 0u; c < COLUMNS && n + c < params.n; c += 4u) {
    var start = vec4f();
    if (params.bias == 1u && slice == 0u) { start = bias_four(n + c); }
    for (var r = 0u; r < min(4u, params.m - m); r++) { store_four(row + r, n + c, sums[c + r] + start); }
  }
}
