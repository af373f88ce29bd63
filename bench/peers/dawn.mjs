// Provides Dawn as `navigator.gpu`, as the peers expect, and counts the bytes of every buffer.
import { create, globals } from "webgpu";

process.env.XDG_RUNTIME_DIR ??= "/tmp"; // Dawn's Vulkan loader needs it set
Object.assign(globalThis, globals);

/** Bytes of all live buffers, now and at peak. */
export const deviceMemory = { bytes: 0, peak: 0 };

const alive = new WeakSet();
const { createBuffer } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (descriptor) {
  const buffer = createBuffer.call(this, descriptor);
  alive.add(buffer);
  deviceMemory.bytes += descriptor.size;
  deviceMemory.peak = Math.max(deviceMemory.peak, deviceMemory.bytes);
  return buffer;
};
const { destroy } = GPUBuffer.prototype;
GPUBuffer.prototype.destroy = function () {
  if (alive.delete(this)) deviceMemory.bytes -= this.size;
  destroy.call(this);
};

// Dawn refuses to upload from shared memory, which browsers allow and onnxruntime-web uses.
const { writeBuffer } = GPUQueue.prototype;
GPUQueue.prototype.writeBuffer = function (buffer, offset, data, ...part) {
  const memory = ArrayBuffer.isView(data) ? data.buffer : data;
  return writeBuffer.call(this, buffer, offset, memory instanceof SharedArrayBuffer ? data.slice() : data, ...part);
};

export const gpu = create([]);
Object.defineProperty(globalThis, "navigator", {
  value: { userAgent: "node", gpu },
  configurable: true,
  writable: true,
});
