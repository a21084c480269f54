import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** What stands between this machine and an accelerator. */
export interface GpuStatus {
  readonly name: "cuda" | "webgpu";
  readonly ready: boolean;
  readonly found: string;
  /** What to do; empty where it is ready. */
  readonly remedy: string;
}

/** Looks for a GPU, its driver and the parts of ONNX Runtime that use it. Starts nothing. */
export const gpuStatus = (): readonly GpuStatus[] => [cudaStatus(), webgpuStatus()];

const cudaStatus = (): GpuStatus => {
  const driver = existsSync("/proc/driver/nvidia/version") || existsSync("C:\\Windows\\System32\\nvcuda.dll");
  const provider = isFilled(
    join(
      binaryFolder(),
      process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so",
    ),
  );
  if (!driver)
    return {
      name: "cuda",
      ready: false,
      found: "no NVIDIA driver",
      remedy: "Needs an NVIDIA GPU with its driver (Linux x64 or Windows x64).",
    };
  if (!provider)
    return {
      name: "cuda",
      ready: false,
      found: "an NVIDIA driver, but ONNX Runtime without its CUDA part",
      remedy:
        "Reinstall with ONNXRUNTIME_NODE_INSTALL=cuda12 (npm rebuild onnxruntime-node), with CUDA 12 and cuDNN 9 on the library path.",
    };
  return { name: "cuda", ready: true, found: "an NVIDIA driver and ONNX Runtime's CUDA part", remedy: "" };
};

/** Windows and macOS bring what it needs (Direct3D 12, Metal); on Linux it is Vulkan: its loader, and a driver's manifest. */
const webgpuStatus = (): GpuStatus => {
  if (process.platform !== "linux")
    return { name: "webgpu", ready: true, found: "ONNX Runtime's WebGPU part", remedy: "" };
  const loader = LIBRARIES.some((folder) => existsSync(join(folder, "libvulkan.so.1"))),
    driver = DRIVERS.some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
  return loader && driver
    ? { name: "webgpu", ready: true, found: "ONNX Runtime's WebGPU part, and Vulkan with a driver", remedy: "" }
    : {
        name: "webgpu",
        ready: false,
        found: loader ? "Vulkan without a driver" : "no Vulkan loader",
        remedy: "Needs a GPU with its Vulkan driver, and the loader (Debian: libvulkan1, mesa-vulkan-drivers).",
      };
};

const LIBRARIES = [`/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`, "/usr/lib64", "/usr/lib"];
const DRIVERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** An empty file only stands in for one that was not downloaded (scripts/preinstall.mjs). */
const isFilled = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

const binaryFolder = (): string => {
  try {
    const manifest = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
    return join(dirname(manifest), "bin", "napi-v6", process.platform, process.arch);
  } catch {
    return "";
  }
};
