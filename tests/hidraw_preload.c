// Connects a program that uses /dev/hidraw-hallway to a key over UDP: open() makes a socket, the two HID
// ioctls describe a FIDO device, and write() drops the report number that hidraw has in front. The port is
// in HALLWAY_UDP_PORT. For tests only.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char NAME[] = "/dev/hidraw-hallway";

// Usage page FIDO (0xf1d0), usage CTAPHID, 64 bytes in and 64 bytes out.
static const unsigned char DESCRIPTOR[] = {
    0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08,
    0x95, 0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91,
    0x02, 0xc0,
};

static int device = -1;

static int connected_socket(void) {
  const char *port = getenv("HALLWAY_UDP_PORT");
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (port == NULL) {
    errno = ENOENT;
    return -1;
  }
  address.sin_port = htons((unsigned short)atoi(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static int opened(const char *real, const char *path, int flags, mode_t mode) {
  if (strcmp(path, NAME) == 0) return device = connected_socket();
  int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, real);
  return next(path, flags, mode);
}

#define OPEN(name)                                       \
  int name(const char *path, int flags, ...) {           \
    va_list rest;                                        \
    va_start(rest, flags);                               \
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, int) : 0; \
    va_end(rest);                                        \
    return opened(#name, path, flags, mode);             \
  }
OPEN(open)
OPEN(open64)

int __open_2(const char *path, int flags) { return opened("open", path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened("open64", path, flags, 0); }

int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (fd != device || fd < 0) {
    int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, argument);
  }
  if (request == (unsigned long)HIDIOCGRDESCSIZE) {
    *(int *)argument = sizeof DESCRIPTOR;
    return 0;
  }
  if (request == (unsigned long)HIDIOCGRDESC) {
    struct hidraw_report_descriptor *descriptor = argument;
    memcpy(descriptor->value, DESCRIPTOR, sizeof DESCRIPTOR);
    return 0;
  }
  errno = ENOTTY;
  return -1;
}

ssize_t write(int fd, const void *data, size_t length) {
  ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  if (fd != device || fd < 0 || length == 0) return next(fd, data, length);
  ssize_t sent = next(fd, (const char *)data + 1, length - 1);
  return sent < 0 ? sent : sent + 1;
}

// libfido2 opens nothing but character devices.
int fstat(int fd, struct stat *status) {
  int (*next)(int, struct stat *) = dlsym(RTLD_NEXT, "fstat");
  int result = next(fd, status);
  if (result == 0 && fd == device) status->st_mode = S_IFCHR | 0600;
  return result;
}

int close(int fd) {
  int (*next)(int) = dlsym(RTLD_NEXT, "close");
  if (fd == device) device = -1;
  return next(fd);
}
