// A Vulkan layer for RADV without its hardware (RADV_FORCE_FAMILY): the driver opens a device and compiles for it as
// ever, but any command that reaches for hardware would crash, and WebGPU sends some as soon as it opens a device. The
// layer answers those itself: command buffers stay empty, submissions are done at once, memory is the host's, fences
// are always signalled, queries and descriptors are left as they are. Shaders, layouts and pipelines are the driver's.
//
//     cc -shared -fPIC -o libnull_device.so null_device.c      (vulkan/vk_layer.h: Debian's libvulkan-dev)
#define VK_NO_PROTOTYPES
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

// One instance and one device for each process: what the layers below answer to.
static struct {
  VkInstance instance;
  PFN_vkGetInstanceProcAddr of_instance;
  PFN_vkGetDeviceProcAddr of_device;
  PFN_vkGetBufferMemoryRequirements requirements;
  PFN_vkGetBufferMemoryRequirements2 requirements2;
} below;

// ---- what does nothing, whatever its arguments: the caller of a void function ignores the result ----

static VkResult succeed(void) { return VK_SUCCESS; }

static const char *const ignored[] = {
    "vkBeginCommandBuffer", "vkEndCommandBuffer", "vkResetCommandBuffer", "vkResetCommandPool",
    "vkQueueSubmit", "vkQueueSubmit2", "vkQueueSubmit2KHR", "vkQueueWaitIdle", "vkDeviceWaitIdle",
    "vkDestroyFence", "vkResetFences", "vkWaitForFences", "vkGetFenceStatus",
    "vkBindBufferMemory", "vkBindBufferMemory2", "vkBindBufferMemory2KHR",
    "vkUnmapMemory", "vkFlushMappedMemoryRanges", "vkInvalidateMappedMemoryRanges",
    "vkUpdateDescriptorSets", "vkGetQueryPoolResults",
};

// ---- memory: one heap, all of it visible to the host ----

enum { HEAP_GIBIBYTES = 16 };

static VkResult allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory) {
  (void)device, (void)callbacks;
  void *bytes = calloc(info->allocationSize + 1, 1); // + 1: never of no bytes, for which calloc may return NULL
  *memory = (VkDeviceMemory)(uintptr_t)bytes;
  return bytes ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void free_memory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *callbacks) {
  (void)device, (void)callbacks;
  free((void *)(uintptr_t)memory);
}

static VkResult map_memory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size,
                           VkMemoryMapFlags flags, void **mapped) {
  (void)device, (void)size, (void)flags;
  *mapped = (char *)(uintptr_t)memory + offset;
  return VK_SUCCESS;
}

static void memory_properties(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties *properties) {
  (void)device;
  *properties = (VkPhysicalDeviceMemoryProperties){
      .memoryHeapCount = 1,
      .memoryHeaps = {{.size = (VkDeviceSize)HEAP_GIBIBYTES << 30, .flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT}},
      .memoryTypeCount = 1,
      .memoryTypes = {{.propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT}},
  };
}

static void memory_properties2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2 *properties) {
  memory_properties(device, &properties->memoryProperties);
}

static void buffer_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *requirements) {
  below.requirements(device, buffer, requirements);
  requirements->memoryTypeBits = 1; // the one type above
}

static void buffer_requirements2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                 VkMemoryRequirements2 *requirements) {
  below.requirements2(device, info, requirements);
  requirements->memoryRequirements.memoryTypeBits = 1;
}

// ---- fences: any handle but null; as a file, -1, which means signalled ----

static VkResult create_fence(VkDevice device, const VkFenceCreateInfo *info, const VkAllocationCallbacks *callbacks,
                             VkFence *fence) {
  (void)device, (void)info, (void)callbacks;
  *fence = (VkFence)(uintptr_t)1;
  return VK_SUCCESS;
}

static VkResult fence_file(VkDevice device, const VkFenceGetFdInfoKHR *info, int *file) {
  (void)device, (void)info;
  *file = -1;
  return VK_SUCCESS;
}

// ---- which function answers a name ----

#define ANSWER(name, function) {name, (PFN_vkVoidFunction)(function)}
static const struct {
  const char *name;
  PFN_vkVoidFunction function;
} answers[] = {
    ANSWER("vkAllocateMemory", allocate_memory),
    ANSWER("vkFreeMemory", free_memory),
    ANSWER("vkMapMemory", map_memory),
    ANSWER("vkGetPhysicalDeviceMemoryProperties", memory_properties),
    ANSWER("vkGetPhysicalDeviceMemoryProperties2", memory_properties2),
    ANSWER("vkGetPhysicalDeviceMemoryProperties2KHR", memory_properties2),
    ANSWER("vkCreateFence", create_fence),
    ANSWER("vkGetFenceFdKHR", fence_file),
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static PFN_vkVoidFunction own_answer(const char *name) {
  if (strncmp(name, "vkCmd", 5) == 0) return (PFN_vkVoidFunction)succeed;
  for (size_t i = 0; i < COUNT(ignored); i++)
    if (strcmp(name, ignored[i]) == 0) return (PFN_vkVoidFunction)succeed;
  for (size_t i = 0; i < COUNT(answers); i++)
    if (strcmp(name, answers[i].name) == 0) return answers[i].function;
  return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name) {
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (PFN_vkVoidFunction)device_function;
  PFN_vkVoidFunction own = own_answer(name);
  if (own) return own;
  PFN_vkVoidFunction next = below.of_device(device, name);
  if (!next) return NULL;
  if (strcmp(name, "vkGetBufferMemoryRequirements") == 0) {
    below.requirements = (PFN_vkGetBufferMemoryRequirements)next;
    return (PFN_vkVoidFunction)buffer_requirements;
  }
  if (strncmp(name, "vkGetBufferMemoryRequirements2", 30) == 0) {
    below.requirements2 = (PFN_vkGetBufferMemoryRequirements2)next;
    return (PFN_vkVoidFunction)buffer_requirements2;
  }
  return next;
}

// ---- creation: each layer finds the next one in a chain, and moves the chain on ----

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks, VkInstance *instance) {
  VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)info->pNext;
  while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
    link = (VkLayerInstanceCreateInfo *)link->pNext;
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  below.of_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  PFN_vkCreateInstance create = (PFN_vkCreateInstance)below.of_instance(NULL, "vkCreateInstance");
  VkResult result = create(info, callbacks, instance);
  if (result == VK_SUCCESS) below.instance = *instance;
  return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkDevice *device) {
  VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)info->pNext;
  while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
    link = (VkLayerDeviceCreateInfo *)link->pNext;
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  PFN_vkGetInstanceProcAddr of_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  below.of_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  PFN_vkCreateDevice create = (PFN_vkCreateDevice)of_instance(below.instance, "vkCreateDevice");
  return create(physical, info, callbacks, device);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance instance, const char *name) {
  if (strcmp(name, "vkGetInstanceProcAddr") == 0) return (PFN_vkVoidFunction)instance_function;
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (PFN_vkVoidFunction)device_function;
  if (strcmp(name, "vkCreateInstance") == 0) return (PFN_vkVoidFunction)create_instance;
  if (strcmp(name, "vkCreateDevice") == 0) return (PFN_vkVoidFunction)create_device;
  PFN_vkVoidFunction own = own_answer(name);
  return own || !below.of_instance ? own : below.of_instance(instance, name);
}

VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *negotiated) {
  negotiated->loaderLayerInterfaceVersion = 2;
  negotiated->pfnGetInstanceProcAddr = instance_function;
  negotiated->pfnGetDeviceProcAddr = device_function;
  negotiated->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
