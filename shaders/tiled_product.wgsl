// tiled_product: a matrix product for GPUs, by tiles of both operands in workgroup memory. a is a matrix or the windows of an image.
//
//   a        [G, M, K]       pack   LOAD_A = 0
//            [G, K, M]       pack   LOAD_A = 1
//            [N, H, W, C]    pack   LOAD_A = 2, 3, 4: an image, see below
//   b        [G, K, N]       pack   LOAD_B = 0
//            [G, N, K]       pack   LOAD_B = 1
//            [R, S, N, C]    pack   LOAD_B = 2: weight, K = (r, s, c)
//   bias     [N]             pack
//   output   [G, M, N]       pack
//   partial  [G, S, M, N]    f32    with SLICED: S slices of the sum over K, without f, which `reduce` adds in order
//
//   output[g,m,n] = f(bias[n] + sum over k of  a[g,m,k] * b[g,k,n]),   f: ACTIVATION of prelude/activation.wgsl
//
//   LOAD_A = 2   a[m,k] = image[i, y*stride - pad + r*dilation, x*stride - pad + s*dilation, c]   m = (i, y, x), k = (r, s, c)
//   LOAD_A = 3   the same with m and k exchanged
//   LOAD_A = 4   a[m,k] = image[i, p, q, c], where p*stride - pad + r*dilation = y, likewise q    m = (i, y, x), k = (r, s, c)
//
// Outside the image reads as zero. A convolution is 2 with LOAD_B = 0, the gradient of its weight 3 with 0, that of its input 4
// with 2: `matmul` and `conv2d` have the definitions. PACK consecutive elements of each operand's last axis travel together.
//
// Cost: a workgroup reads (TILE_ROWS + TILE_COLUMNS) elements for TILE_ROWS TILE_COLUMNS multiply-adds, so each element of a is read
// N / TILE_COLUMNS times from memory, each of b M / TILE_ROWS times. Sums over k are in order: the bits are those of
// `matmul`'s other forms, up to the rounding of fused multiply-adds, if the slices are the same.

// Source of a: 0 a matrix, 1 a transposed one, 2 windows of an image, 3 their transpose, 4 the windows that read a pixel.
override LOAD_A: u32 = 0;
// Source of b: 0 a matrix, 1 a transposed one, 2 the weight of a convolution.
override LOAD_B: u32 = 0;
// True if bias is added (to the first slice). Otherwise bias is bound but never read.
override BIAS: bool = false;
// True if slices are stored, in partial; false if the product is, in output. The other one is bound but never written.
override SLICED: bool = false;
// Rows of the output that one workgroup owns. A multiple of LANE_ROWS.
override TILE_ROWS: u32 = 64;
// Columns of the output that one workgroup owns. A multiple of LANE_COLUMNS.
override TILE_COLUMNS: u32 = 64;
// Depth of k in workgroup memory at a time. A multiple of four.
override TILE_DEPTH: u32 = 16;
// Rows of the output that one invocation owns: 4 or 8. WORKGROUP_SIZE is as many as a tile has of them.
override LANE_ROWS: u32 = 8;
// Columns of the output that one invocation owns: 4 or 8.
override LANE_COLUMNS: u32 = 8;

struct Params {
  batch: u32,         // G
  m: u32,             // M / positions: images, or rows
  positions: u32,     // rows of the product that an image has; 1 for matrices
  n: u32,             // N, columns of the output
  k: u32,             // K, summed over
  depth: u32,         // of k, summed by one slice; a multiple of TILE_DEPTH
  slices: u32,        // S
  height: u32,        // H, of the image
  width: u32,         // W
  channels: u32,      // C
  place_height: u32,  // places (y, x) of windows
  place_width: u32,
  filter_w: u32,      // extent of s
  stride_h: u32,
  stride_w: u32,
  pad_top: u32,
  pad_left: u32,
  dilation_h: u32,
  dilation_w: u32,
}

@group(0) @binding(0) var<storage, read> a: array<pack>;
@group(0) @binding(1) var<storage, read> b: array<pack>;
@group(0) @binding(2) var<storage, read> bias: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> partial: array<accum>;
@group(1) @binding(0) var<uniform> params: Params;

// For each k four rows of a, or four columns of b, to an element. One element to spare a k: without it, stores of
// neighbouring lanes meet in one bank.
var<workgroup> a_tile: array<vec4<elem>, TILE_DEPTH * (TILE_ROWS / 4u + 1u)>;
var<workgroup> b_tile: array<vec4<elem>, TILE_DEPTH * (TILE_COLUMNS / 4u + 1u)>;

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

// A window's image, y and x.
fn place_of(index: u32) -> vec3u {
  let row = index / params.place_width;
  return vec3u(row / params.place_height, row % params.place_height, index % params.place_width);
}

fn place_after(place: vec3u) -> vec3u {
  if (place.z + 1u < params.place_width) { return vec3u(place.xy, place.z + 1u); }
  if (place.y + 1u < params.place_height) { return vec3u(place.x, place.y + 1u, 0u); }
  return vec3u(place.x + 1u, 0u, 0u);
}

const OUTSIDE = 0xffffffffu;

// Pixel row that tap `r` of a window at `y` reads; with LOAD_A = 4, row of windows that read `y` through it. Likewise columns.
fn along(y: u32, r: u32, pad: u32, dilation: u32, stride: u32) -> u32 {
  if (LOAD_A != 4u) { return y * stride + r * dilation - pad; } // wraps below zero, far beyond the image
  if (y + pad < r * dilation) { return OUTSIDE; }
  let shifted = y + pad - r * dilation;
  if (stride == 1u) { return shifted; } // integer division is slow
  return select(OUTSIDE, shifted / stride, shifted % stride == 0u);
}

// Index of the image's element that a window reads at k = (r, s, c), or OUTSIDE.
fn seen(place: vec3u, k: u32) -> u32 {
  let tap = k / params.channels;
  let h = along(place.y, tap / params.filter_w, params.pad_top, params.dilation_h, params.stride_h);
  let w = along(place.z, tap % params.filter_w, params.pad_left, params.dilation_w, params.stride_w);
  if (h >= params.height || w >= params.width) { return OUTSIDE; }
  return ((place.x * params.height + h) * params.width + w) * params.channels + k % params.channels;
}

// Four consecutive k of a window, zero past `extent`.
fn window_four(place: vec3u, k: u32, extent: u32) -> vec4f {
  var values = vec4f();
  for (var at = k; at < min(k + 4u, extent); at += PACK) {
    let element = seen(place, at);
    if (element == OUTSIDE) { continue; }
    if (PACK == 4u) { return vec4f(accum(a[element / PACK])); }
    values[at - k] = pack_lane(accum(a[element]), 0u);
  }
  return values;
}

// Four consecutive k = (r, s, c) of filter n, zero past K.
fn filter_four(n: u32, k: u32) -> vec4f {
  var values = vec4f();
  for (var at = k; at < min(k + 4u, params.k); at += PACK) {
    let element = (at / params.channels * params.n + n) * params.channels + at % params.channels;
    if (PACK == 4u) { return vec4f(accum(b[element / PACK])); }
    values[at - k] = pack_lane(accum(b[element]), 0u);
  }
  return values;
}

// Four rows of a by four of the summed index: column i is index k + i. Zero outside the matrix.
fn a_block(g: u32, m: u32, k: u32, rows: u32) -> mat4x4f {
  var square = mat4x4f();
  if (LOAD_A == 0u) {
    for (var i = 0u; i < 4u; i++) { if (m + i < rows) { square[i] = a_four(g * rows + m + i, k, params.k); } }
    return transpose(square);
  }
  if (LOAD_A == 1u) {
    for (var i = 0u; i < 4u; i++) { if (k + i < params.k) { square[i] = a_four(g * params.k + k + i, m, rows); } }
    return square;
  }
  if (LOAD_A == 3u) {
    var place = place_of(k);
    for (var i = 0u; i < 4u; i++) {
      if (k + i < params.k) { square[i] = window_four(place, m, rows); }
      place = place_after(place);
    }
    return square;
  }
  var place = place_of(m);
  for (var i = 0u; i < 4u; i++) {
    if (m + i < rows) { square[i] = window_four(place, k, params.k); }
    place = place_after(place);
  }
  return transpose(square);
}

// Four of the summed index by four columns of b: column i is index k + i. Zero outside the matrix.
fn b_block(g: u32, k: u32, n: u32) -> mat4x4f {
  var square = mat4x4f();
  if (LOAD_B == 0u) {
    for (var i = 0u; i < 4u; i++) { if (k + i < params.k) { square[i] = b_four(g * params.k + k + i, n, params.n); } }
    return square;
  }
  for (var i = 0u; i < 4u; i++) {
    if (n + i >= params.n) { continue; }
    if (LOAD_B == 1u) { square[i] = b_four(g * params.n + n + i, k, params.k); } else { square[i] = filter_four(n + i, k); }
  }
  return transpose(square);
}

fn bias_four(n: u32) -> vec4f {
  if (PACK == 4u) { return vec4f(accum(bias[n / PACK])); }
  var values = vec4f();
  for (var lane = 0u; lane < min(4u, params.n - n); lane++) { values[lane] = pack_lane(accum(bias[n + lane]), 0u); }
  return values;
}

fn store(at: u32, value: accum) {
  if (SLICED) { partial[at] = value; } else { output[at] = pack(activate(value)); }
}

fn store_four(row: u32, n: u32, values: vec4f) {
  let first = row * params.n + n;
  if (PACK == 4u) { store(first / PACK, accum_from(values)); return; }
  for (var lane = 0u; lane < min(4u, params.n - n); lane++) { store(first + lane, accum_from(vec4f(values[lane]))); }
}

// One workgroup per tile of TILE_ROWS rows and TILE_COLUMNS columns of one slice. Its invocations load blocks of 4 x 4 of both
// operands, then each adds to LANE_ROWS rows and LANE_COLUMNS columns of its own: fours of neighbouring lanes lie beside each other.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let rows = params.m * params.positions;
  let column_tiles = (params.n + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let row_tiles = (rows + TILE_ROWS - 1u) / TILE_ROWS;
  let first_n = i % column_tiles * TILE_COLUMNS;
  let first_m = i / column_tiles % row_tiles * TILE_ROWS;
  let slice = i / column_tiles / row_tiles % params.slices;
  let g = i / column_tiles / row_tiles / params.slices;
  if (g >= params.batch) { return; }

  let row_fours = TILE_ROWS / 4u;
  let column_fours = TILE_COLUMNS / 4u;
  let depth_fours = TILE_DEPTH / 4u;
  let lane_columns = TILE_COLUMNS / LANE_COLUMNS; // lanes beside each other
  let lane_rows = TILE_ROWS / LANE_ROWS;
  let lane_n = lane % lane_columns; // among fours
  let lane_m = lane / lane_columns;

  var sums: array<vec4f, 16>; // 2 (row) + four of columns
  let end = min((slice + 1u) * params.depth, params.k);
  for (var k = slice * params.depth; k < end; k += TILE_DEPTH) {
    for (var at = lane; at < (row_fours + column_fours) * depth_fours; at += WORKGROUP_SIZE) {
      // Neighbouring lanes load what lies beside each other in memory.
      if (at < row_fours * depth_fours) {
        let turned = LOAD_A == 1u || LOAD_A == 3u;
        let row = select(at / depth_fours, at % row_fours, turned);
        let step = 4u * select(at % depth_fours, at / row_fours, turned);
        let square = a_block(g, first_m + 4u * row, k + step, rows);
        for (var j = 0u; j < 4u; j++) { a_tile[(step + j) * (row_fours + 1u) + row] = vec4<elem>(square[j]); }
      } else {
        let rest = at - row_fours * depth_fours;
        let column = select(rest / depth_fours, rest % column_fours, LOAD_B == 0u);
        let step = 4u * select(rest % depth_fours, rest / column_fours, LOAD_B == 0u);
        let square = b_block(g, k + step, first_n + 4u * column);
        for (var j = 0u; j < 4u; j++) { b_tile[(step + j) * (column_fours + 1u) + column] = vec4<elem>(square[j]); }
      }
    }
    workgroupBarrier();
    // A constant end, so that compilers unroll the loop and need no bounds checks: past K both tiles hold zeros.
    for (var step = 0u; step < TILE_DEPTH; step++) {
      for (var c = 0u; c < LANE_COLUMNS / 4u; c++) {
        let columns = vec4f(b_tile[step * (column_fours + 1u) + lane_n + c * lane_columns]);
        for (var q = 0u; q < LANE_ROWS / 4u; q++) {
          let four = vec4f(a_tile[step * (row_fours + 1u) + lane_m + q * lane_rows]);
          for (var r = 0u; r < 4u; r++) { sums[2u * (4u * q + r) + c] += columns * four[r]; }
        }
      }
    }
    workgroupBarrier();
  }

  for (var c = 0u; c < LANE_COLUMNS / 4u; c++) {
    let n = first_n + 4u * (lane_n + c * lane_columns);
    if (n >= params.n) { continue; }
    var start = vec4f();
    if (BIAS) { if (slice == 0u) { start = bias_four(n); } }
    for (var r = 0u; r < LANE_ROWS; r++) {
      let m = first_m + 4u * (lane_m + r / 4u * lane_rows) + r % 4u;
      if (m < rows) { store_four((g * params.slices + slice) * rows + m, n, sums[2u * r + c] + start); }
    }
  }
}
