// Preloaded into a process (LD_PRELOAD), it has another time of day: CLOCK_SHIFT_SECONDS later than this machine's clock.
// What measures how long something takes goes on as it is. A process that waits until a time of day that it has read from
// the shifted clock waits as long as it means to: such a time is shifted back before the kernel sees it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long Shift(void) {
  static long shift = -1;
  if (shift < 0) {
    const char* text = getenv("CLOCK_SHIFT_SECONDS");
    shift = text ? atol(text) : 0;
  }
  return shift;
}

static int Real(struct timespec* now) { return (int)syscall(SYS_clock_gettime, CLOCK_REALTIME, now); }

// A time that is nearer to the shifted clock than to the real one was read from the shifted one.
static const struct timespec* Back(const struct timespec* until, struct timespec* kept) {
  struct timespec now;
  if (until == NULL || Real(&now) != 0 || until->tv_sec - now.tv_sec <= Shift() / 2) return until;
  *kept = *until;
  kept->tv_sec -= Shift();
  return kept;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += Shift();
  return failed;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* now) {
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  if (now != NULL) *now = exact.tv_sec;
  return exact.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  struct timespec kept;
  return NEXT(pthread_cond_timedwait)(condition, mutex, Back(until, &kept));
}

int pthread_cond_clockwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex, clockid_t clock,
                           const struct timespec* restrict until) {
  struct timespec kept;
  return NEXT(pthread_cond_clockwait)(condition, mutex, clock, clock == CLOCK_REALTIME ? Back(until, &kept) : until);
}

int pthread_mutex_timedlock(pthread_mutex_t* restrict mutex, const struct timespec* restrict until) {
  struct timespec kept;
  return NEXT(pthread_mutex_timedlock)(mutex, Back(until, &kept));
}

int sem_timedwait(sem_t* restrict semaphore, const struct timespec* restrict until) {
  struct timespec kept;
  return NEXT(sem_timedwait)(semaphore, Back(until, &kept));
}

// Abseil waits on futexes by itself.
long syscall(long number, ...) {
  static long (*next)(long, ...);
  if (next == NULL) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list list;
  va_start(list, number);
  long given[6];
  for (int i = 0; i < 6; ++i) given[i] = va_arg(list, long);
  va_end(list);
  struct timespec kept;
  if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME)) {
    given[3] = (long)Back((const struct timespec*)given[3], &kept);
  }
  return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
