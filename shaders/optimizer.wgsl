// optimizer: one step of AdamW, Adam or SGD with momentum on a range of an arena of parameters, and gradient clipping.
//
//   gradients    [count]   f32   arena of gradients
//   factor       [1]       f32   from clip_factor, multiplies every gradient: scales it and clips
//   weights      [count]   f32   arena of parameters; updated in place, as are m and v
//   m, v         [count]   f32   first and second moment; for SGD m is the velocity
//   schedule     [P, 4]    f32   of each parameter: learning rate, 1 - beta1^step, 1 - beta2^step, unused
//   squares      [arenas]  f32   sum of squares of each arena's gradients
//
//   g = factor * gradient
//   Adam:   g += weight_decay w;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//           w -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps)
//   AdamW:  the same with w *= 1 - learning_rate weight_decay in place of g += weight_decay w
//   SGD:    g += weight_decay w;  m = momentum m + g;  w -= learning_rate (NESTEROV ? g + momentum m : m)
//
// Cost: Adam reads 4 and writes 3 elements a parameter, SGD 3 and 2.
// Definitions: Kingma and Ba, "Adam"; Loshchilov and Hutter, "Decoupled weight decay regularization"; torch.optim.

// true: AdamW. false: Adam.
override DECOUPLED: bool = true;
override NESTEROV: bool = false;

struct Params {
  first: u32,         // element of the range; with clip_factor unused
  count: u32,         // of elements, or of arenas in clip_factor
  row: u32,           // of the schedule
  weight_decay: f32,
  beta1: f32,         // momentum of SGD
  beta2: f32,
  rest1: f32,         // 1 - beta1, rounded once
  rest2: f32,         // 1 - beta2
  eps: f32,
  max_norm: f32,      // of all gradients together, once they are scaled
  scale: f32,         // of the gradients
}

@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read> squares: array<f32>;
@group(0) @binding(3) var<storage, read> schedule: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> weights: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// output[0] = scale min(1, max_norm / (scale norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. One invocation in all.
@compute @workgroup_size(1)
fn clip_factor() {
  var sum = 0.0;
  for (var i = 0u; i < params.count; i++) { sum += squares[i]; }
  output[0] = params.scale * min(1.0, params.max_norm / (params.scale * sqrt(sum) + 1e-6));
}

// One invocation per parameter element.
@compute @workgroup_size(WORKGROUP_SIZE)
fn adam(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat_index(id, groups);
  if (n >= params.count) { return; }
  let i = params.first + n;
  let now = schedule[params.row];
  var g = factor[0] * gradients[i];
  var w = weights[i];
  if (DECOUPLED) { w *= 1.0 - now.x * params.weight_decay; } else { g += params.weight_decay * w; }
  let mean = params.beta1 * m[i] + params.rest1 * g;
  let square = params.beta2 * v[i] + params.rest2 * g * g;
  m[i] = mean;
  v[i] = square;
  weights[i] = w - now.x * (mean / now.y) / (sqrt(square / now.z) + params.eps);
}

// One invocation per parameter element.
@compute @workgroup_size(WORKGROUP_SIZE)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat_index(id, groups);
  if (n >= params.count) { return; }
  let i = params.first + n;
  let g = factor[0] * gradients[i] + params.weight_decay * weights[i];
  let velocity = params.beta1 * m[i] + g;
  m[i] = velocity;
  weights[i] -= schedule[params.row].x * select(velocity, g + params.beta1 * velocity, NESTEROV);
}
