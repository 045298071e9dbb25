#include "worker/backends/cpu/thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace deconvoy::worker::cpu {
namespace {

// Denormals cost a hundred times a normal operation, and estimates that go to zero are full of them.
class FlushDenormals {
 public:
#if defined(__SSE__)
  FlushDenormals() : saved_(_mm_getcsr()) {
    _mm_setcsr(saved_ | kFlushToZero | kDenormalsAreZero);
  }
  ~FlushDenormals() {
    _mm_setcsr(saved_);
  }

 private:
  static constexpr unsigned kFlushToZero = 0x8000;
  static constexpr unsigned kDenormalsAreZero = 0x0040;
  unsigned saved_;
#endif
};

}  // namespace

struct ThreadPool::State {
  // Own synchronisation.
  std::mutex turn;  // held by the caller whose work is being done
  std::atomic<int64_t> next{0};

  // Guarded by `mutex`.
  std::mutex mutex;
  std::condition_variable start, finish;
  const std::function<void(int64_t, int)>* work = nullptr;
  int64_t count = 0;
  int64_t round = 0;
  int busy = 0;
  bool stopping = false;

  // Constant after construction.
  std::unique_ptr<const Pinning> pinning;  // null: none
  std::vector<std::thread> helpers;

  void Bind(int thread) const {
    thread_local const Pinning* bound = nullptr;
    if (pinning == nullptr || bound == pinning.get()) return;
    pinning->Bind(thread);
    bound = pinning.get();
  }

  void Drain(const std::function<void(int64_t, int)>& call, int64_t total, int thread) {
    const FlushDenormals flush;
    Bind(thread);
    for (int64_t i = next.fetch_add(1); i < total; i = next.fetch_add(1)) call(i, thread);
  }

  void Help(int thread) {
    int64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      start.wait(lock, [&] { return stopping || round != seen; });
      if (stopping) return;
      seen = round;
      const auto* call = work;
      const int64_t total = count;
      lock.unlock();
      Drain(*call, total, thread);
      lock.lock();
      if (--busy == 0) finish.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads, std::unique_ptr<Pinning> pinning) : state_(std::make_unique<State>()) {
  state_->pinning = std::move(pinning);
  for (int i = 1; i < threads; ++i) {
    state_->helpers.emplace_back([state = state_.get(), i] { state->Help(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->start.notify_all();
  for (std::thread& helper : state_->helpers) helper.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(state_->helpers.size()) + 1;
}

void ThreadPool::ForEach(int64_t count, const std::function<void(int64_t, int)>& work) {
  State& state = *state_;
  const std::lock_guard turn(state.turn);
  {
    const std::lock_guard lock(state.mutex);
    state.work = &work;
    state.count = count;
    state.next = 0;
    state.busy = static_cast<int>(state.helpers.size());
    ++state.round;
  }
  state.start.notify_all();
  state.Drain(work, count, /*thread=*/0);
  std::unique_lock lock(state.mutex);
  state.finish.wait(lock, [&] { return state.busy == 0; });
}

}  // namespace deconvoy::worker::cpu
