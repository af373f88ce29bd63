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
// Stride of the windows. A constant, since division by a variable is slow.
override STRIDE_H: u32 = 1;
override STRIDE_W: u32 = 1;
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
// neighbouring lanes meet in one bank. One k to spare: it is loaded ahead, and never used.
var<workgroup> a_tile: array<vec4f, (TILE_DEPTH + 1u) * (TILE_ROWS / 4u + 1u)>;
var<workgroup> b_tile: array<vec4f, (TILE_DEPTH + 1u) * (TILE_COLUMNS / 4u + 1u)>;

// An index as (image, y, x) of a window, for limits = (places down, places across), or as (r, s, c) of a filter, for (S, C).
fn split(index: u32, limits: vec2u) -> vec3u {
  let row = index / limits.y;
  return vec3u(row / limits.x, row % limits.x, index % limits.y);
}

// The split index `steps` further on, without a division.
fn beyond(start: vec3u, steps: u32, limits: vec2u) -> vec3u {
  var at = start;
  at.z += steps;
  while (at.z >= limits.y) {
    at.z -= limits.y;
    at.y += 1u;
    if (at.y == limits.x) { at = vec3u(at.x + 1u, 0u, at.z); }
  }
  return at;
}

fn places() -> vec2u { return vec2u(params.place_height, params.place_width); }

fn taps() -> vec2u { return vec2u(params.filter_w, params.channels); }

const OUTSIDE = 0xffffffffu;

// Index of the image's element that the window at `place` reads through `tap` = (r, s, c), or OUTSIDE.
fn seen(place: vec3u, tap: vec3u) -> u32 {
  var h = place.y * STRIDE_H + tap.x * params.dilation_h - params.pad_top; // wraps below zero, far beyond the image
  var w = place.z * STRIDE_W + tap.y * params.dilation_w - params.pad_left;
  var met = true;
  if (LOAD_A == 4u) {
    h = place.y + params.pad_top - tap.x * params.dilation_h;
    w = place.z + params.pad_left - tap.y * params.dilation_w;
    met = h % STRIDE_H == 0u && w % STRIDE_W == 0u;
    h /= STRIDE_H;
    w /= STRIDE_W;
  }
  let element = ((place.x * params.height + h) * params.width + w) * params.channels + tap.z;
  return select(OUTSIDE, element, met && h < params.height && w < params.width);
}

// What an invocation loads for each tile: four lines of four consecutive elements. A line is a row of a, a column of b or, if the
// operand lies so in memory, one k. Rows and columns beyond the last repeat it: their sums are not stored.
struct Feed {
  lines: vec4u,            // first elements of the lines at k = 0
  fixed: array<vec3u, 4>,  // windows: places of the lines; LOAD_A = 3: taps of the lines' elements
  walking: vec3u,          // windows: tap at the present k; LOAD_A = 3: place
}

// a's lines have four k (from `k` on) of four rows (from m on), or four rows of four k.
fn feed_of_a(g: u32, m: u32, k: u32, rows: u32) -> Feed {
  var feed: Feed;
  if (LOAD_A == 1u) {
    for (var i = 0u; i < 4u; i++) { feed.lines[i] = (g * params.k + i) * rows + m; }
  } else if (LOAD_A == 0u) {
    for (var i = 0u; i < 4u; i++) { feed.lines[i] = (g * rows + min(m + i, rows - 1u)) * params.k; }
  } else if (LOAD_A == 3u) {
    feed.walking = split(k, places());
    for (var i = 0u; i < 4u; i++) { feed.fixed[i] = split(m + i, taps()); }
  } else {
    feed.walking = split(k, taps());
    for (var i = 0u; i < 4u; i++) { feed.fixed[i] = split(min(m + i, rows - 1u), places()); }
  }
  return feed;
}

fn feed_of_b(g: u32, n: u32, k: u32) -> Feed {
  var feed: Feed;
  feed.walking = split(k, vec2u(OUTSIDE, params.channels));
  for (var i = 0u; i < 4u; i++) {
    let column = min(n + i, params.n - 1u);
    if (LOAD_B == 0u) { feed.lines[i] = (g * params.k + i) * params.n + n; }
    if (LOAD_B == 1u) { feed.lines[i] = (g * params.n + column) * params.k; }
    if (LOAD_B == 2u) { feed.lines[i] = column * params.channels; }
  }
  return feed;
}

// Four consecutive elements. What is beyond the operand's end is some element of it, and not used.
fn a_four(first: u32) -> vec4<elem> {
  if (PACK == 4u) { return vec4<elem>(a[min(first / PACK, arrayLength(&a) - 1u)]); }
  var four: vec4<elem>;
  for (var i = 0u; i < 4u; i++) { four[i] = elem(pack_lane(accum(a[min(first + i, arrayLength(&a) - 1u)]), 0u)); }
  return four;
}

fn b_four(first: u32) -> vec4<elem> {
  if (PACK == 4u) { return vec4<elem>(b[min(first / PACK, arrayLength(&b) - 1u)]); }
  var four: vec4<elem>;
  for (var i = 0u; i < 4u; i++) { four[i] = elem(pack_lane(accum(b[min(first + i, arrayLength(&b) - 1u)]), 0u)); }
  return four;
}

// One element of the image, zero outside of it; four of them if they lie side by side.
fn a_seen(place: vec3u, tap: vec3u) -> vec4<elem> {
  let element = seen(place, tap);
  var four = vec4<elem>();
  if (element != OUTSIDE) { four = a_four(element); } // a select would wait for what is loaded
  return four;
}

alias Lines = array<vec4<elem>, 4>;

fn lines_of_a(feed: Feed, k: u32, rows: u32) -> Lines {
  var lines: Lines;
  var place = feed.walking;
  for (var i = 0u; i < 4u; i++) {
    if (LOAD_A == 0u) { lines[i] = a_four(feed.lines[i] + k); continue; }
    if (LOAD_A == 1u) { lines[i] = a_four(feed.lines[i] + k * rows); continue; }
    if (LOAD_A != 3u) { place = feed.fixed[i]; }
    var tap = select(feed.walking, feed.fixed[0], LOAD_A == 3u);
    if (PACK == 4u) {
      lines[i] = a_seen(place, tap);
    } else {
      for (var j = 0u; j < 4u; j++) {
        if (LOAD_A == 3u) { tap = feed.fixed[j]; }
        lines[i][j] = a_seen(place, tap).x;
        if (LOAD_A != 3u) { tap = beyond(tap, 1u, taps()); }
      }
    }
    if (LOAD_A == 3u) { place = beyond(place, 1u, places()); }
  }
  return lines;
}

fn lines_of_b(feed: Feed, k: u32) -> Lines {
  var lines: Lines;
  for (var i = 0u; i < 4u; i++) {
    if (LOAD_B == 0u) { lines[i] = b_four(feed.lines[i] + k * params.n); continue; }
    if (LOAD_B == 1u) { lines[i] = b_four(feed.lines[i] + k); continue; }
    var tap = feed.walking;
    if (PACK == 4u) {
      lines[i] = b_four(tap.y * params.n * params.channels + feed.lines[i] + tap.z);
    } else {
      for (var j = 0u; j < 4u; j++) {
        lines[i][j] = b_four(tap.y * params.n * params.channels + feed.lines[i] + tap.z).x;
        tap = beyond(tap, 1u, vec2u(OUTSIDE, params.channels));
      }
    }
  }
  return lines;
}

// Lines as a square whose column i is index k + i. Zero from k = `end` on.
fn square_of(lines: Lines, along_k: bool, k: u32, end: u32) -> mat4x4f {
  var square = mat4x4f(vec4f(lines[0]), vec4f(lines[1]), vec4f(lines[2]), vec4f(lines[3]));
  if (along_k) { square = transpose(square); }
  if (k + 4u > end) {
    for (var i = 0u; i < 4u; i++) { square[i] = select(vec4f(), square[i], k + i < end); }
  }
  return square;
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

// What a workgroup owns: its first row and column of the output, of one slice of the sum, of one product of the batch.
struct Tile {
  m: u32,
  n: u32,
  slice: u32,
  g: u32, // beyond the batch where there are more workgroups than tiles
}

fn tile_at(group: vec3u, groups: vec3u) -> Tile {
  let i = group.y * groups.x + group.x;
  let column_tiles = (params.n + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let row_tiles = (params.m * params.positions + TILE_ROWS - 1u) / TILE_ROWS;
  let slices = i / column_tiles / row_tiles;
  return Tile(
    i / column_tiles % row_tiles * TILE_ROWS,
    i % column_tiles * TILE_COLUMNS,
    slices % params.slices,
    slices / params.slices,
  );
}

// Rows of a and columns of b that an invocation multiplies at one k, in fours; the second four only if it owns eight.
struct Operands {
  rows: array<vec4f, 2>,
  columns: array<vec4f, 2>,
}

// One workgroup per tile of TILE_ROWS rows and TILE_COLUMNS columns of one slice. Its invocations load blocks of 4 x 4 of both
// operands, then each adds to LANE_ROWS rows and LANE_COLUMNS columns of its own: fours of neighbouring lanes lie beside each other.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_at(group, groups);
  let rows = params.m * params.positions;
  if (tile.g >= params.batch) { return; }

  let row_fours = TILE_ROWS / 4u;
  let column_fours = TILE_COLUMNS / 4u;
  let depth_fours = TILE_DEPTH / 4u;
  let lane_columns = TILE_COLUMNS / LANE_COLUMNS; // lanes beside each other
  let lane_rows = TILE_ROWS / LANE_ROWS;
  let lane_n = lane % lane_columns; // among fours
  let lane_m = lane / lane_columns;

  // What this invocation loads: from a, from b or nothing. Neighbouring lanes load what lies beside each other in memory.
  let of_a = lane < row_fours * depth_fours;
  let own = select(lane - row_fours * depth_fours, lane, of_a);
  let of_b = !of_a && own < column_fours * depth_fours;
  let a_along_k = LOAD_A != 1u && LOAD_A != 3u;
  let b_along_k = LOAD_B != 0u;
  let row = select(own, own / depth_fours, a_along_k) % row_fours;
  let column = select(own, own / depth_fours, b_along_k) % column_fours;
  let depth_a = 4u * (select(own / row_fours, own, a_along_k) % depth_fours);
  let depth_b = 4u * (select(own / column_fours, own, b_along_k) % depth_fours);
  let depth = select(depth_b, depth_a, of_a);

  var k = tile.slice * params.depth;
  let end = min(k + params.depth, params.k);
  var feed: Feed;
  var lines: Lines;
  if (of_a) {
    feed = feed_of_a(tile.g, tile.m + 4u * row, k + depth, rows);
    lines = lines_of_a(feed, k + depth, rows);
  } else if (of_b) {
    feed = feed_of_b(tile.g, tile.n + 4u * column, k + depth);
    lines = lines_of_b(feed, k + depth);
  }
  let limits = select(vec2u(OUTSIDE, params.channels), select(taps(), places(), LOAD_A == 3u), of_a);

  var sums: array<vec4f, 16>; // 2 (row) + four of columns
  for (; k < end; k += TILE_DEPTH) {
    if (of_a) {
      let square = square_of(lines, a_along_k, k + depth, end);
      for (var j = 0u; j < 4u; j++) { a_tile[(depth_a + j) * (row_fours + 1u) + row] = square[j]; }
    } else if (of_b) {
      let square = square_of(lines, b_along_k, k + depth, end);
      for (var j = 0u; j < 4u; j++) { b_tile[(depth_b + j) * (column_fours + 1u) + column] = square[j]; }
    }
    workgroupBarrier();
    // The next lines arrive while these are multiplied.
    if (LOAD_A >= 2u) { feed.walking = beyond(feed.walking, TILE_DEPTH, limits); }
    if (of_a) {
      lines = lines_of_a(feed, k + TILE_DEPTH + depth, rows);
    } else if (of_b) {
      lines = lines_of_b(feed, k + TILE_DEPTH + depth);
    }
    // A constant end, so that compilers unroll the loop and need no bounds checks: past K both tiles hold zeros.
    // Operands are loaded a step before they are used; by twos, so that none moves from register to register.
    var operands: array<Operands, 2>;
    for (var q = 0u; q < LANE_ROWS / 4u; q++) { operands[0].rows[q] = a_tile[lane_m + q * lane_rows]; }
    for (var c = 0u; c < LANE_COLUMNS / 4u; c++) { operands[0].columns[c] = b_tile[lane_n + c * lane_columns]; }
    for (var pair = 0u; pair < TILE_DEPTH / 2u; pair++) {
      for (var half = 0u; half < 2u; half++) {
        let next = 2u * pair + half + 1u;
        for (var q = 0u; q < LANE_ROWS / 4u; q++) {
          operands[1u - half].rows[q] = a_tile[next * (row_fours + 1u) + lane_m + q * lane_rows];
        }
        for (var c = 0u; c < LANE_COLUMNS / 4u; c++) {
          operands[1u - half].columns[c] = b_tile[next * (column_fours + 1u) + lane_n + c * lane_columns];
        }
        for (var c = 0u; c < LANE_COLUMNS / 4u; c++) {
          for (var q = 0u; q < LANE_ROWS / 4u; q++) {
            for (var r = 0u; r < 4u; r++) {
              sums[2u * (4u * q + r) + c] += operands[half].columns[c] * operands[half].rows[q][r];
            }
          }
        }
      }
    }
    workgroupBarrier();
  }

  for (var c = 0u; c < LANE_COLUMNS / 4u; c++) {
    let n = tile.n + 4u * (lane_n + c * lane_columns);
    if (n >= params.n) { continue; }
    var start = vec4f();
    if (BIAS) { if (tile.slice == 0u) { start = bias_four(n); } }
    for (var r = 0u; r < LANE_ROWS; r++) {
      let m = tile.m + 4u * (lane_m + r / 4u * lane_rows) + r % 4u;
      if (m < rows) { store_four((tile.g * params.slices + tile.slice) * rows + m, n, sums[2u * r + c] + start); }
    }
  }
}
