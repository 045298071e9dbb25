/* Starts a program of the bundle by the bundle's own loader and libraries, wherever the folder lies.
 *
 * FOLDER/bin/NAME is this program; it runs FOLDER/libexec/NAME. The loader lies in FOLDER/bin, so that /proc/self/exe
 * still names the folder in which the programs find one another. Libraries come from FOLDER/lib, then from
 * $DECONVOY_CUDA_LIBRARIES, then from /usr/local/cuda/lib64; last of all from where the system keeps them, which is
 * where the driver's are. It needs nothing but the kernel: no C library, no shell.
 *
 * Exit code: that of the program; 126 when it cannot be started, saying what is missing.
 */
#include <linux/limits.h>
#include <sys/syscall.h>

enum { kMostArguments = 4096, kLibraries = 3 * PATH_MAX };

static long Call(long number, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

static unsigned long Length(const char* text) {
  unsigned long n = 0;
  while (text[n]) ++n;
  return n;
}

static void Say(const char* text) {
  Call(SYS_write, 2, (long)text, (long)Length(text), 0);
}

__attribute__((noreturn)) static void Fail(const char* what, const char* which) {
  Say("deconvoy: ");
  Say(what);
  Say(which);
  Say("\n");
  for (;;) Call(SYS_exit_group, 126, 0, 0, 0);
}

/* Appends `text` to `at`, which ends before `end`; returns the new end of the text. */
static char* Append(char* at, const char* end, const char* text) {
  while (*text) {
    if (at + 1 >= end) Fail("the path of the bundle is too long", "");
    *at++ = *text++;
  }
  *at = 0;
  return at;
}

static const char* Variable(char** environment, const char* name) {
  const unsigned long n = Length(name);
  for (; *environment; ++environment) {
    unsigned long i = 0;
    while (i < n && (*environment)[i] == name[i]) ++i;
    if (i == n && (*environment)[n] == '=') return *environment + n + 1;
  }
  return "";
}

__attribute__((used, noreturn)) void Start(long* stack) {
  static char self[PATH_MAX], loader[PATH_MAX], program[PATH_MAX], libraries[kLibraries];
  static char* arguments[kMostArguments + 8];
  const long count = stack[0];
  char** given = (char**)(stack + 1);
  char** environment = given + count + 1;

  const long length = Call(SYS_readlink, (long)"/proc/self/exe", (long)self, PATH_MAX - 1, 0);
  if (length <= 0) Fail("/proc is not there, by which the bundle finds itself", "");
  self[length] = 0;
  char *name = self + length, *folder;
  while (name > self && name[-1] != '/') --name;
  folder = name - 1;
  while (folder > self && folder[-1] != '/') --folder;
  if (folder == self) Fail("the bundle must lie in a folder, with its programs in bin: ", self);
  folder[-1] = 0; /* self is now the bundle's folder, name the program's */

  char* at = Append(loader, loader + PATH_MAX, self);
  Append(at, loader + PATH_MAX, "/bin/ld-linux-x86-64.so.2");
  at = Append(program, program + PATH_MAX, self);
  at = Append(at, program + PATH_MAX, "/libexec/");
  Append(at, program + PATH_MAX, name);
  at = Append(libraries, libraries + kLibraries, self);
  at = Append(at, libraries + kLibraries, "/lib:");
  const char* cuda = Variable(environment, "DECONVOY_CUDA_LIBRARIES");
  at = Append(at, libraries + kLibraries, cuda);
  if (*cuda) at = Append(at, libraries + kLibraries, ":");
  Append(at, libraries + kLibraries, "/usr/local/cuda/lib64");

  if (count > kMostArguments) Fail("too many arguments", "");
  long n = 0;
  arguments[n++] = loader;
  arguments[n++] = "--argv0";
  arguments[n++] = count > 0 ? given[0] : name;
  arguments[n++] = "--library-path";
  arguments[n++] = libraries;
  arguments[n++] = program;
  for (long i = 1; i < count; ++i) arguments[n++] = given[i];
  if (Call(SYS_access, (long)program, 0, 0, 0) != 0) Fail("there is no program ", program);
  Call(SYS_execve, (long)loader, (long)arguments, (long)environment, 0);
  Fail("cannot run ", loader);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call Start\n");
