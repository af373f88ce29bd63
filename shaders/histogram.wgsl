// histogram: counts the elements in each of several equal intervals.
//
//   input   [count]  elem
//   counts  [bins]   u32   zero before
//
//   counts[b] = number of i with floor((input[i] - low) / (high - low) * bins) = b; high itself belongs to the last bin
//
// Elements outside [low, high], and NaN, are not counted. Counts are integers, so the order of atomics does not
// matter. Definition: torch.histc.
// Cost: reads each element once for every TILE bins; 5 operations an element.

struct Params {
  count: u32,
  bins: u32,
  tiles: u32,  // ceil(bins / TILE)
  low: f32,
  high: f32,
}

@group(0) @binding(0) var<storage, read> input: array<elem>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

const TILE = 1024u;     // bins that a workgroup counts in its own memory
const STRETCH = 32u;    // elements of a lane

var<workgroup> tile_counts: array<atomic<u32>, TILE>;

// One workgroup per stretch of WORKGROUP_SIZE * STRETCH elements and tile of bins.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let turn = group.y * groups.x + group.x;
  let first_bin = turn % params.tiles * TILE;
  let first = turn / params.tiles * WORKGROUP_SIZE * STRETCH;
  for (var b = lane; b < TILE; b += WORKGROUP_SIZE) { atomicStore(&tile_counts[b], 0u); }
  workgroupBarrier();
  let end = min(first + WORKGROUP_SIZE * STRETCH, params.count);
  for (var i = first + lane; i < end; i += WORKGROUP_SIZE) {
    let value = f32(input[i]);
    if (value >= params.low && value <= params.high) {
      let place = (value - params.low) / (params.high - params.low) * f32(params.bins);
      let b = min(u32(place), params.bins - 1u) - first_bin;  // wraps above TILE where the bin is another tile's
      if (b < TILE) { atomicAdd(&tile_counts[b], 1u); }
    }
  }
  workgroupBarrier();
  for (var b = lane; b < TILE; b += WORKGROUP_SIZE) {
    let count = atomicLoad(&tile_counts[b]);
    if (count > 0u) { atomicAdd(&counts[first_bin + b], count); }
  }
}
