// Several lanes to a row: WORKGROUP_SIZE / LANES rows share a workgroup, lanes of a row are neighbours, and a tree adds
// up what they found, in a fixed order. Every lane of the workgroup must come along, whatever its row.

// Invocations of a row. A power of two, at most WORKGROUP_SIZE.
override LANES: u32 = 1;

// The row of a lane, and the lane's place in it.
struct RowLane { row: u32, lane: u32 }

fn row_lane(group: vec3u, groups: vec3u, index: u32) -> RowLane {
  return RowLane((group.y * groups.x + group.x) * (WORKGROUP_SIZE / LANES) + index / LANES, index % LANES);
}

var<workgroup> row_values: array<f32, WORKGROUP_SIZE>;

fn row_sum(value: f32, index: u32) -> f32 {
  row_values[index] = value;
  workgroupBarrier();
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    if (index % LANES < width) { row_values[index] += row_values[index + width]; }
    workgroupBarrier();
  }
  let total = row_values[index - index % LANES];
  workgroupBarrier();  // all have read before the next one writes
  return total;
}

fn row_max(value: f32, index: u32) -> f32 {
  row_values[index] = value;
  workgroupBarrier();
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    if (index % LANES < width) { row_values[index] = max(row_values[index], row_values[index + width]); }
    workgroupBarrier();
  }
  let total = row_values[index - index % LANES];
  workgroupBarrier();
  return total;
}
