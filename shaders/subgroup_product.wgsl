// subgroup_product: the products of `tiled_product`, on units with which a subgroup multiplies small matrices.
//
// Continues tiled_product.wgsl: its operands, options and params, and its way of loading both operands, matrices and windows of images alike.
// Before that stands what the adapter says of its units: the directive that enables them, and
//
//   matrix_elem              f16 or f32: type of the matrices that are multiplied. f16 becomes f32 where units want that; sums are f32
//   UNIT_M, UNIT_N, UNIT_K   extents of a product: [UNIT_M, UNIT_K] by [UNIT_K, UNIT_N], such as 16, 16, 16. Multiples of four
//   LINE                     elements from a line of UNIT_K to the next in workgroup memory, 16 bytes of them to spare
//
// Needs the feature subgroup-matrix, or chromium-experimental-subgroup-matrix. The hardware chooses the order of sums within a matrix.
//
// Cost: a workgroup reads (TILE_ROWS + TILE_COLUMNS) elements for TILE_ROWS TILE_COLUMNS multiply-adds. For each UNIT_K of the sum a
// subgroup loads MATRIX_ROWS + MATRIX_COLUMNS matrices from workgroup memory, and multiplies MATRIX_ROWS MATRIX_COLUMNS times.

// Matrices of sums that a subgroup owns, below each other. At most 4.
override MATRIX_ROWS: u32 = 4;
// The same, beside each other. At most 4.
override MATRIX_COLUMNS: u32 = 2;
// Subgroups of a workgroup that own sums, below each other: TILE_ROWS is SUBGROUP_ROWS MATRIX_ROWS UNIT_M. Others only load.
override SUBGROUP_ROWS: u32 = 2;
// The same, beside each other: TILE_COLUMNS is SUBGROUP_COLUMNS MATRIX_COLUMNS UNIT_N.
override SUBGROUP_COLUMNS: u32 = 4;

// Matrices one behind the other, as units load them: lines are rows of a, or columns of b, with their k beside each other. Neighbouring
// lines lie in different banks, and begin at multiples of 16 bytes. Matrix x * TILE_DEPTH / UNIT_K + z begins at row x * UNIT_M of a (or
// column x * UNIT_N of b), and at k = z * UNIT_K of the tile. Each is an array of its own, so that it is loaded from a constant offset:
// other offsets are checked at run time, behind which compilers no longer see what is aligned, and load word by word.
var<workgroup> a_matrices: array<array<matrix_elem, UNIT_M * LINE>, TILE_ROWS / UNIT_M * (TILE_DEPTH / UNIT_K)>;
var<workgroup> b_matrices: array<array<matrix_elem, UNIT_N * LINE>, TILE_COLUMNS / UNIT_N * (TILE_DEPTH / UNIT_K)>;
// A matrix of sums of each subgroup.
var<workgroup> result: array<f32, SUBGROUP_ROWS * SUBGROUP_COLUMNS * UNIT_M * UNIT_N>;

// Lines as four rows of a, or columns of b, of four k. Zero from k = `end` on.
fn fours_of(lines: Lines, along_k: bool, k: u32, end: u32) -> array<vec4<matrix_elem>, 4> {
  var fours: array<vec4<matrix_elem>, 4>;
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) { fours[i][j] = matrix_elem(select(lines[j][i], lines[i][j], along_k)); }
  }
  if (k + 4u > end) {
    let is_inside = k + vec4u(0u, 1u, 2u, 3u) < vec4u(end);
    for (var i = 0u; i < 4u; i++) { fours[i] = select(vec4<matrix_elem>(), fours[i], is_inside); }
  }
  return fours;
}

// One workgroup per tile of TILE_ROWS rows and TILE_COLUMNS columns of one slice. Its invocations load a block of 4 x 4 of each operand at
// most; then each subgroup adds to the matrices that it owns. The same shape gives the same sums, in an order of the hardware's.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_matrices(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let tile = tile_at(group, groups);
  let rows = params.m * params.positions;
  if (tile.g >= params.batch) { return; }

  // The first lanes load blocks of a, the last ones blocks of b; neighbours what lies beside each other in memory.
  let row_fours = TILE_ROWS / 4u;
  let column_fours = TILE_COLUMNS / 4u;
  let depth_fours = TILE_DEPTH / 4u;
  let from_last = WORKGROUP_SIZE - 1u - lane;
  let of_a = lane < row_fours * depth_fours;
  let of_b = from_last < column_fours * depth_fours;
  let a_along_k = LOAD_A != 1u && LOAD_A != 3u;
  let b_along_k = LOAD_B != 0u;
  let row_four = select(lane, lane / depth_fours, a_along_k) % row_fours;
  let column_four = select(from_last, from_last / depth_fours, b_along_k) % column_fours;
  let depth_four_a = select(lane / row_fours, lane, a_along_k) % depth_fours;
  let depth_four_b = select(from_last / column_fours, from_last, b_along_k) % depth_fours;
  let depth_a = 4u * depth_four_a;
  let depth_b = 4u * depth_four_b;
  // Where the blocks lie in workgroup memory. In fours, by which compilers see that no index needs a check.
  let steps = TILE_DEPTH / UNIT_K;
  let matrix_a = row_four / (UNIT_M / 4u) * steps + depth_four_a / (UNIT_K / 4u);
  let matrix_b = column_four / (UNIT_N / 4u) * steps + depth_four_b / (UNIT_K / 4u);
  let at_a = 4u * (row_four % (UNIT_M / 4u) * LINE + depth_four_a % (UNIT_K / 4u));
  let at_b = 4u * (column_four % (UNIT_N / 4u) * LINE + depth_four_b % (UNIT_K / 4u));

  var k = tile.slice * params.depth;
  let end = min(k + params.depth, params.k);
  var feed_a: Feed;
  var feed_b: Feed;
  var lines_a: Lines;
  var lines_b: Lines;
  if (of_a) {
    feed_a = feed_of_a(tile.g, tile.m + 4u * row_four, k + depth_a, rows);
    lines_a = lines_of_a(feed_a, k + depth_a, rows);
  }
  if (of_b) {
    feed_b = feed_of_b(tile.g, tile.n + 4u * column_four, k + depth_b);
    lines_b = lines_of_b(feed_b, k + depth_b);
  }
  let limits = select(taps(), places(), LOAD_A == 3u);

  let owns = subgroup < SUBGROUP_ROWS * SUBGROUP_COLUMNS;
  let first_left = subgroup / SUBGROUP_COLUMNS * MATRIX_ROWS * steps;
  let first_right = subgroup % SUBGROUP_COLUMNS * MATRIX_COLUMNS * steps;
  var sums: array<Sums, 16>; // 4 (matrix below) + matrix beside
  for (; k < end; k += TILE_DEPTH) {
    if (of_a) {
      let fours = fours_of(lines_a, a_along_k, k + depth_a, end);
      for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) { a_matrices[matrix_a][at_a + i * LINE + j] = fours[i][j]; }
      }
    }
    if (of_b) {
      let fours = fours_of(lines_b, b_along_k, k + depth_b, end);
      for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) { b_matrices[matrix_b][at_b + i * LINE + j] = fours[i][j]; }
      }
    }
    workgroupBarrier();
    // The next lines arrive while these are multiplied.
    if (of_a) {
      if (LOAD_A >= 2u) { feed_a.walking = beyond(feed_a.walking, TILE_DEPTH, limits); }
      lines_a = lines_of_a(feed_a, k + TILE_DEPTH + depth_a, rows);
    }
    if (of_b) {
      if (LOAD_B == 2u) { feed_b.walking = beyond(feed_b.walking, TILE_DEPTH, vec2u(OUTSIDE, params.channels)); }
      lines_b = lines_of_b(feed_b, k + TILE_DEPTH + depth_b);
    }
    if (owns) {
      for (var step = 0u; step < steps; step++) {
        var right: array<Right, 4>;
        for (var c = 0u; c < MATRIX_COLUMNS; c++) { right[c] = load_right(first_right + c * steps + step); }
        for (var r = 0u; r < MATRIX_ROWS; r++) {
          let left = load_left(first_left + r * steps + step);
          for (var c = 0u; c < MATRIX_COLUMNS; c++) { sums[4u * r + c] = multiply_add(left, right[c], sums[4u * r + c]); }
        }
      }
    }
    workgroupBarrier();
  }

  // A matrix of each subgroup at a time passes through workgroup memory, where every invocation finds fours of a row.
  let row_of_fours = UNIT_N / 4u;
  let matrix_fours = UNIT_M * row_of_fours;
  for (var r = 0u; r < MATRIX_ROWS; r++) {
    for (var c = 0u; c < MATRIX_COLUMNS; c++) {
      if (owns) { store_sums(4u * subgroup * matrix_fours, sums[4u * r + c]); }
      workgroupBarrier();
      for (var at = lane; at < SUBGROUP_ROWS * SUBGROUP_COLUMNS * matrix_fours; at += WORKGROUP_SIZE) {
        let owner = at / matrix_fours;
        let m = tile.m + (owner / SUBGROUP_COLUMNS * MATRIX_ROWS + r) * UNIT_M + at / row_of_fours % UNIT_M;
        let n = tile.n + (owner % SUBGROUP_COLUMNS * MATRIX_COLUMNS + c) * UNIT_N + 4u * (at % row_of_fours);
        if (m < rows && n < params.n) {
          var values = vec4f(result[4u * at], result[4u * at + 1u], result[4u * at + 2u], result[4u * at + 3u]);
          if (BIAS) { if (tile.slice == 0u) { values += bias_four(n); } }
          store_four((tile.g * params.slices + tile.slice) * rows + m, n, values);
        }
      }
      workgroupBarrier();
    }
  }
}

// Subgroup matrices, all that there is of them: tests put arithmetic of their own in place of what follows.
alias Left = subgroup_matrix_left<matrix_elem, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<matrix_elem, UNIT_N, UNIT_K>;
alias Sums = subgroup_matrix_result<f32, UNIT_N, UNIT_M>;

fn load_left(matrix: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&a_matrices[matrix], 0u, LINE); }
fn load_right(matrix: u32) -> Right { return subgroupMatrixLoad<Right, col_major>(&b_matrices[matrix], 0u, LINE); }
fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums { return subgroupMatrixMultiplyAccumulate(left, right, sums); }
fn store_sums(at: u32, sums: Sums) { subgroupMatrixStore<row_major>(&result, at, sums, UNIT_N); }
