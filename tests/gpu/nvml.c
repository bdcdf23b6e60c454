/* A libnvidia-ml.so.1 that reports what the environment says.
 *
 *   NVML_DRIVER  the driver's version, "550.54.15"
 *   NVML_CUDA    the CUDA it supports, "12040"
 *   NVML_GPUS    one GPU a line: name|major.minor|brand|bytes of memory|cores|SMs of a MIG instance, 0 for none
 *   NVML_FAIL    "function=code" or "function:gpu=code" with commas between; code -1 crashes, -2 never
 *                returns, -3 writes to stdout
 *
 * With -DOLD the functions that came with later drivers are missing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6 };

typedef struct {
    unsigned index;
    char name[96];
    int major, minor;
    unsigned brand;
    unsigned long long memory;
    unsigned cores, instance;
} gpu;

typedef struct {
    unsigned long long total, free, used;
} memory;

typedef struct {
    unsigned multiprocessors, others[7];
    unsigned long long megabytes;
} attributes;

static gpu gpus[64];
static unsigned count;

static int outcome(const char *function, int index) {
    const char *wish = getenv("NVML_FAIL");
    char copy[1024], one[128], each[128];
    char *part, *rest;
    snprintf(copy, sizeof copy, "%s", wish ? wish : "");
    snprintf(one, sizeof one, "%s:%d=", function, index);
    snprintf(each, sizeof each, "%s=", function);
    for (part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        int code = 0;
        if (!strncmp(part, each, strlen(each)))
            code = atoi(part + strlen(each));
        else if (!strncmp(part, one, strlen(one)))
            code = atoi(part + strlen(one));
        if (code == -1)
            abort();
        if (code == -3) {
            puts("NVRM: noise");
            fflush(stdout);
            return SUCCESS;
        }
        while (code == -2)
            pause();
        if (code)
            return code;
    }
    return SUCCESS;
}

static int text(const char *from, char *to, unsigned size) {
    snprintf(to, size, "%s", from ? from : "");
    return SUCCESS;
}

#define MAY_FAIL(index)                          \
    do {                                         \
        int code = outcome(__func__, (int)index); \
        if (code)                                \
            return code;                         \
    } while (0)

int nvmlInitWithFlags(unsigned flags) {
    const char *wish = getenv("NVML_GPUS");
    char *copy = strdup(wish ? wish : ""), *line, *rest;
    (void)flags;
    MAY_FAIL(0);
    count = 0;
    for (line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        gpu *one = &gpus[count];
        one->index = count++;
        sscanf(line, "%95[^|]|%d.%d|%u|%llu|%u|%u", one->name, &one->major, &one->minor, &one->brand,
               &one->memory, &one->cores, &one->instance);
    }
    free(copy);
    return SUCCESS;
}

int nvmlShutdown(void) {
    MAY_FAIL(0);
    return SUCCESS;
}

const char *nvmlErrorString(int code) {
    static char words[32];
    snprintf(words, sizeof words, "error %d", code);
    return words;
}

int nvmlSystemGetDriverVersion(char *version, unsigned size) {
    MAY_FAIL(0);
    return text(getenv("NVML_DRIVER"), version, size);
}

static int cuda(int *version) {
    const char *wish = getenv("NVML_CUDA");
    *version = wish ? atoi(wish) : 0;
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion(int *version) {
    MAY_FAIL(0);
    return cuda(version);
}

int nvmlDeviceGetCount_v2(unsigned *number) {
    MAY_FAIL(0);
    *number = count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, gpu **device) {
    MAY_FAIL(index);
    if (index >= count)
        return INVALID;
    *device = &gpus[index];
    return SUCCESS;
}

int nvmlDeviceGetName(gpu *device, char *name, unsigned size) {
    MAY_FAIL(device->index);
    return text(device->name, name, size);
}

int nvmlDeviceGetCudaComputeCapability(gpu *device, int *major, int *minor) {
    MAY_FAIL(device->index);
    *major = device->major;
    *minor = device->minor;
    return SUCCESS;
}

int nvmlDeviceGetBrand(gpu *device, unsigned *brand) {
    MAY_FAIL(device->index);
    *brand = device->brand;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(gpu *device, memory *info) {
    MAY_FAIL(device->index);
    info->total = info->free = device->memory;
    info->used = 0;
    return SUCCESS;
}

#ifndef OLD
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    MAY_FAIL(0);
    return cuda(version);
}

int nvmlDeviceGetNumGpuCores(gpu *device, unsigned *cores) {
    MAY_FAIL(device->index);
    *cores = device->cores;
    return device->cores ? SUCCESS : UNSUPPORTED;
}

int nvmlDeviceGetMigMode(gpu *device, unsigned *current, unsigned *pending) {
    MAY_FAIL(device->index);
    *current = *pending = device->instance > 0;
    return SUCCESS;
}

int nvmlDeviceGetAttributes_v2(gpu *device, attributes *told) {
    MAY_FAIL(device->index);
    memset(told, 0, sizeof *told);
    told->multiprocessors = device->instance;
    return device->instance ? SUCCESS : UNSUPPORTED;
}
#endif
