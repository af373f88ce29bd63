// nearest_rows: the k rows nearest to each query by squared Euclidean distance, without storing all distances.
//
//   queries            [Q, C]     pack
//   rows               [M, C]     pack
//   candidates         [Q, S, K]  vec2u   key and index of the K nearest of each of S slices of the rows, in order
//   listed             [Q, S, K]  vec2u   the same, as `merge` reads them
//   squared_distances  [Q, K]     f32     written as bits; ascending
//   indices            [Q, K]     u32
//
//   d(q, m) = sum over c of (queries[q,c] - rows[m,c])^2
//
// Rows are ordered by d, then by index. The key of a distance is its bits, which order as the numbers do because
// d >= 0. A NaN distance follows infinity, so a row that holds NaN comes last. Where a slice has
// fewer than K rows, the rest of its list is NOTHING.
// d is the sum of squared differences, not |q|^2 + |r|^2 - 2 q.r, which cancels: equal rows are at distance 0 exactly,
// and the error is at most (C + 3) 2^-24 d. The order of the sum and the slices depend on the shape alone.
// Cost: 3 operations for each channel of each pair. `forward` reads each query M / TILE_ROWS times and each row
// Q / TILE_QUERIES times; candidates are K pairs of words for each query and slice.

// Rows that a list in registers holds: at least K, at most MOST. Each value is a pipeline, so launchers use few.
override LISTED: u32 = 1;
// Queries that a workgroup of `forward` owns. A multiple of 8.
override TILE_QUERIES: u32 = 64;
// Rows that it compares at a time. A multiple of 8.
override TILE_ROWS: u32 = 64;
// Channels in workgroup memory at a time. A multiple of 4, at least 16: distances of half a tile take the same memory.
override TILE_DEPTH: u32 = 16;

struct Params {
  query_count: u32,  // Q
  row_count: u32,    // M
  channels: u32,     // C
  k: u32,            // K, nearest rows wanted of each query
  slice_rows: u32,   // rows of a slice, a multiple of TILE_ROWS and of ROWS
  slices: u32,       // S
}

@group(0) @binding(0) var<storage, read> queries: array<pack>;
@group(0) @binding(1) var<storage, read> rows: array<pack>;
@group(0) @binding(2) var<storage, read_write> candidates: array<vec2u>;
@group(0) @binding(3) var<storage, read> listed: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> squared_distances: array<u32>;
@group(0) @binding(5) var<storage, read_write> indices: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const MOST = 16u;
const NOTHING = vec2u(0xffffffffu);

// For each channel four queries to an element, then four rows to an element, with one element to spare for each channel
// against bank conflicts. At other times: for each row of half a tile, its distances to four queries to an element.
var<workgroup> tile: array<vec4f, TILE_DEPTH * (TILE_QUERIES / 4u + TILE_ROWS / 4u + 2u)>;

// Up to four lists of LISTED keys and indices, one list behind another.
alias Lists = array<vec2u, 4u * MOST>;

fn key_of(squared_distance: f32) -> u32 {
  let bits = bitcast<u32>(squared_distance) & 0x7fffffffu;
  return select(bits, 0x7fc00000u, bits > 0x7f800000u); // one key for all that is not a number
}

fn clear_list(nearest: ptr<function, Lists>, list: u32) {
  for (var i = 0u; i < LISTED; i++) { (*nearest)[list * LISTED + i] = NOTHING; }
}

// Takes a row into a list if it is among the nearest so far. Rows of equal keys must come in order of index.
fn offer(nearest: ptr<function, Lists>, list: u32, row: vec2u) {
  if (row.x >= (*nearest)[list * LISTED + LISTED - 1u].x) { return; }
  var moved = row;
  for (var i = 0u; i < LISTED; i++) {
    let kept = (*nearest)[list * LISTED + i];
    let goes_before = moved.x < kept.x || (moved.x == kept.x && moved.y < kept.y);
    (*nearest)[list * LISTED + i] = select(kept, moved, goes_before);
    moved = select(moved, kept, goes_before);
  }
}

fn store_candidates(nearest: ptr<function, Lists>, list: u32, query: u32, slice: u32) {
  let first = (query * params.slices + slice) * params.k;
  for (var i = 0u; i < LISTED; i++) { // a constant, so that the list stays in registers
    if (i < params.k) { candidates[first + i] = (*nearest)[list * LISTED + i]; }
  }
}

// Four consecutive channels of a query. Past the last channel they are zero.
fn query_four(query: u32, channel: u32) -> vec4f {
  var values = vec4f();
  if (channel >= params.channels) { return values; }
  let first = query * params.channels + channel;
  if (PACK == 4u) { return vec4f(accum(queries[first / PACK])); }
  for (var i = 0u; i < min(4u, params.channels - channel); i++) {
    values[i] = pack_lane(accum(queries[first + i]), 0u);
  }
  return values;
}

// The same of a row.
fn row_four(row: u32, channel: u32) -> vec4f {
  var values = vec4f();
  if (channel >= params.channels) { return values; }
  let first = row * params.channels + channel;
  if (PACK == 4u) { return vec4f(accum(rows[first / PACK])); }
  for (var i = 0u; i < min(4u, params.channels - channel); i++) {
    values[i] = pack_lane(accum(rows[first + i]), 0u);
  }
  return values;
}

// Four queries by four channels: column i is channel + i. Queries past the last repeat it and are not stored.
fn query_square(query: u32, channel: u32) -> mat4x4f {
  var square: mat4x4f;
  for (var i = 0u; i < 4u; i++) { square[i] = query_four(min(query + i, params.query_count - 1u), channel); }
  return transpose(square);
}

// The same of rows. Rows past the last repeat it and are not offered.
fn row_square(row: u32, channel: u32) -> mat4x4f {
  var square: mat4x4f;
  for (var i = 0u; i < 4u; i++) { square[i] = row_four(min(row + i, params.row_count - 1u), channel); }
  return transpose(square);
}

// For GPUs. One workgroup per tile of TILE_QUERIES queries and slice; it walks the slice's rows in tiles. Its
// invocations load blocks of 4 x 4, then each sums the distances of 8 queries to 4 rows. The distances go through
// workgroup memory to the invocation that owns a query's list, of which there are TILE_QUERIES.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let slice = i % params.slices;
  let first_query = i / params.slices * TILE_QUERIES;
  if (first_query >= params.query_count) { return; }

  let query_fours = TILE_QUERIES / 4u;
  let row_fours = TILE_ROWS / 4u;
  let depth_fours = TILE_DEPTH / 4u;
  let rows_at = TILE_DEPTH * (query_fours + 1u); // in the tile
  let lane_rows = lane % row_fours;              // the four rows of this invocation
  let lane_queries = lane / row_fours;           // its first four queries; the other four are half a tile further on

  var nearest: Lists;
  clear_list(&nearest, 0u);
  let end = min((slice + 1u) * params.slice_rows, params.row_count);
  for (var first_row = slice * params.slice_rows; first_row < end; first_row += TILE_ROWS) {
    var sums = array<vec4f, 8>(); // 4 (four of queries) + row
    for (var channel = 0u; channel < params.channels; channel += TILE_DEPTH) {
      for (var at = lane; at < (query_fours + row_fours) * depth_fours; at += WORKGROUP_SIZE) {
        let four = at / depth_fours;
        let step = 4u * (at % depth_fours);
        if (four < query_fours) {
          let square = query_square(first_query + 4u * four, channel + step);
          for (var j = 0u; j < 4u; j++) { tile[(step + j) * (query_fours + 1u) + four] = square[j]; }
        } else {
          let square = row_square(first_row + 4u * (four - query_fours), channel + step);
          let at_rows = rows_at + four - query_fours;
          for (var j = 0u; j < 4u; j++) { tile[at_rows + (step + j) * (row_fours + 1u)] = square[j]; }
        }
      }
      workgroupBarrier();
      for (var step = 0u; step < TILE_DEPTH; step++) {
        let four_rows = tile[rows_at + step * (row_fours + 1u) + lane_rows];
        for (var q = 0u; q < 2u; q++) {
          let four_queries = tile[step * (query_fours + 1u) + lane_queries + q * (query_fours / 2u)];
          for (var r = 0u; r < 4u; r++) {
            let difference = four_queries - four_rows[r];
            sums[4u * q + r] += difference * difference;
          }
        }
      }
      workgroupBarrier();
    }
    for (var part = 0u; part < 2u; part++) {
      if (lane_rows / (row_fours / 2u) == part) {
        for (var j = 0u; j < 8u; j++) {
          let row = 4u * (lane_rows % (row_fours / 2u)) + j % 4u;
          tile[row * query_fours + lane_queries + j / 4u * (query_fours / 2u)] = sums[j];
        }
      }
      workgroupBarrier();
      if (lane < TILE_QUERIES) {
        let first = first_row + part * (TILE_ROWS / 2u);
        for (var row = first; row < min(first + TILE_ROWS / 2u, end); row++) {
          offer(&nearest, 0u, vec2u(key_of(tile[(row - first) * query_fours + lane / 4u][lane % 4u]), row));
        }
      }
      workgroupBarrier();
    }
  }
  if (lane < TILE_QUERIES && first_query + lane < params.query_count) {
    store_candidates(&nearest, 0u, first_query + lane, slice);
  }
}

const ROWS = 8u; // compared at a time by an invocation of the form below

// For adapters on which a load costs more than arithmetic, as on CPUs: invocations of a workgroup differ in their
// queries alone, so they load the same rows. One invocation per four queries and slice; it walks the rows by ROWS.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_uniform_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let slice = i % params.slices;
  let query = 4u * (i / params.slices * WORKGROUP_SIZE + lane);
  if (query >= params.query_count) { return; }

  var nearest: Lists;
  for (var list = 0u; list < 4u; list++) { clear_list(&nearest, list); }
  let end = min((slice + 1u) * params.slice_rows, params.row_count);
  for (var first_row = slice * params.slice_rows; first_row < end; first_row += ROWS) {
    var sums = array<vec4f, ROWS>(); // an element a query
    for (var channel = 0u; channel < params.channels; channel += 4u) {
      let four_queries = query_square(query, channel);
      for (var r = 0u; r < ROWS; r++) {
        let row = row_four(min(first_row + r, params.row_count - 1u), channel);
        for (var j = 0u; j < 4u; j++) {
          let difference = four_queries[j] - row[j];
          sums[r] += difference * difference;
        }
      }
    }
    for (var r = 0u; r < min(ROWS, end - first_row); r++) {
      for (var list = 0u; list < 4u; list++) { offer(&nearest, list, vec2u(key_of(sums[r][list]), first_row + r)); }
    }
  }
  for (var list = 0u; list < 4u; list++) {
    if (query + list < params.query_count) { store_candidates(&nearest, list, query + list, slice); }
  }
}

// One invocation per query: it goes through the lists of the slices in order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn merge(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let query = flat_index(id, groups);
  if (query >= params.query_count) { return; }
  var nearest: Lists;
  clear_list(&nearest, 0u);
  let count = params.slices * params.k;
  for (var i = query * count; i < (query + 1u) * count; i++) { offer(&nearest, 0u, listed[i]); }
  for (var i = 0u; i < LISTED; i++) {
    if (i < params.k) {
      squared_distances[query * params.k + i] = nearest[i].x;
      indices[query * params.k + i] = nearest[i].y;
    }
  }
}
