// farthest_point: one step of greedy k-centre sampling: chooses the row farthest from all rows chosen so far.
//
//   rows        [M, D]      pack
//   chosen      [K]         u32     indices of the rows chosen so far; `choose` writes one more
//   position    [1]         u32     number chosen, at least 1: in a tensor, so that a captured step can be repeated
//   distances   [M]         f32     squared distance to the nearest row chosen so far; CHOSEN for those rows themselves
//   candidates  [B]         vec2u   key and index of the farthest row of each of B blocks of rows
//
//   update:  distances[m] = min(distances[m], sum over d of (rows[m,d] - rows[chosen[position - 1],d])^2)
//   choose:  chosen[position] = the m of largest distances[m], the lowest of several, and position + 1; nothing once K are
//
// Where one row is chosen, what distances held before is not read. A chosen row is never chosen again: where all others
// are at distance 0, the first of those is chosen. A NaN distance counts as 0, so a row that holds NaN
// comes last.
// d is the sum of squared differences: exact for equal rows, with an error of at most (D + 3) 2^-24 d otherwise.
// Definition: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; PatchCore's coreset.
// Cost: reads rows once, reads and writes distances once; 3 operations an element.

struct Params {
  rows: u32,    // M
  packs: u32,   // D / PACK
  blocks: u32,  // B, of ROWS * WORKGROUP_SIZE / LANES rows each
  most: u32,    // K
}

@group(0) @binding(0) var<storage, read> rows: array<pack>;
@group(0) @binding(1) var<storage, read> chosen: array<u32>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> distances: array<f32>;
@group(0) @binding(4) var<storage, read_write> candidates: array<vec2u>;
@group(0) @binding(5) var<storage, read> listed: array<vec2u>;                // candidates
@group(0) @binding(6) var<storage, read_write> chosen_next: array<u32>;       // chosen
@group(0) @binding(7) var<storage, read_write> position_next: array<u32>;     // position
@group(1) @binding(0) var<uniform> params: Params;

const ROWS = 4u;       // that LANES invocations share, to share what they load of the chosen row
const CHOSEN = -1.0;
const NOTHING = vec2u(0u, 0xffffffffu);

var<workgroup> lane_sums: array<vec4f, WORKGROUP_SIZE>;
var<workgroup> farthest: array<vec2u, WORKGROUP_SIZE>;

// Orders as distances do, below all of them for a row that is chosen.
fn key_of(distance: f32) -> u32 { return select(bitcast<u32>(distance) + 1u, 0u, distance < 0.0); }

// A squared distance, 0 for NaN.
fn number_of(squared: f32) -> f32 { return select(squared, 0.0, (bitcast<u32>(squared) & 0x7fffffffu) > 0x7f800000u); }

fn farther(a: vec2u, b: vec2u) -> vec2u { return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y)); }

// One workgroup per block of rows, LANES invocations per ROWS of them. A tree adds their sums, another takes the farthest.
@compute @workgroup_size(WORKGROUP_SIZE)
fn update(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let block_index = group.y * groups.x + group.x;
  let count = position[0];
  let centre = chosen[count - 1u];
  let spread = WORKGROUP_SIZE / LANES; // between the rows of an invocation
  let first = block_index * ROWS * spread + index / LANES;
  var places: vec4u;
  for (var j = 0u; j < ROWS; j++) { places[j] = min(first + j * spread, params.rows - 1u) * params.packs; }
  var sums = vec4f();
  for (var i = index % LANES; i < params.packs; i += LANES) {
    let middle = accum(rows[centre * params.packs + i]);
    for (var j = 0u; j < ROWS; j++) {
      let difference = accum(rows[places[j] + i]) - middle;
      sums[j] += pack_sum(difference * difference);
    }
  }
  lane_sums[index] = sums;
  workgroupBarrier();
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    if (index % LANES < width) { lane_sums[index] += lane_sums[index + width]; }
    workgroupBarrier();
  }
  var best = NOTHING;
  if (index % LANES == 0u) {
    for (var j = 0u; j < ROWS; j++) {
      let row = first + j * spread;
      if (row >= params.rows) { break; }
      var distance = number_of(lane_sums[index][j]);
      if (count > 1u) { distance = min(distances[row], distance); }
      if (row == centre) { distance = CHOSEN; }
      distances[row] = distance;
      best = farther(best, vec2u(key_of(distance), row));
    }
  }
  farthest[index] = best;
  workgroupBarrier();
  for (var width = WORKGROUP_SIZE / 2u; width > 0u; width /= 2u) {
    if (index < width) { farthest[index] = farther(farthest[index], farthest[index + width]); }
    workgroupBarrier();
  }
  if (index == 0u && block_index < params.blocks) { candidates[block_index] = farthest[0]; }
}

// One workgroup: lanes stride over the blocks, a tree takes the farthest of theirs.
@compute @workgroup_size(WORKGROUP_SIZE)
fn choose(@builtin(local_invocation_index) index: u32) {
  var best = NOTHING;
  for (var i = index; i < params.blocks; i += WORKGROUP_SIZE) { best = farther(best, listed[i]); }
  farthest[index] = best;
  workgroupBarrier();
  for (var width = WORKGROUP_SIZE / 2u; width > 0u; width /= 2u) {
    if (index < width) { farthest[index] = farther(farthest[index], farthest[index + width]); }
    workgroupBarrier();
  }
  if (index == 0u) {
    let at = position_next[0];
    if (at < params.most) {
      chosen_next[at] = farthest[0].y;
      position_next[0] = at + 1u;
    }
  }
}
