#include "base/thread_pool.h"

#include <pthread.h>

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace shoal {

void SetThreadName(const std::string& name) {
  // The kernel refuses longer names instead of cutting them.
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

ThreadPool::ThreadPool(const std::string& name, int threads, size_t queue_max)
    : queue_(queue_max, std::numeric_limits<size_t>::max()) {
  SHOAL_CHECK(threads > 0);
  MutexLock lock(&join_mu_);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, thread_name = absl::StrCat(name, "-", i)] {
      SetThreadName(thread_name);
      while (auto task = queue_.Pop()) (*task)();
    });
  }
}

ThreadPool::~ThreadPool() { Shutdown(); }

bool ThreadPool::Submit(std::function<void()> task) { return queue_.Push(std::move(task), 0); }

bool ThreadPool::TrySubmit(std::function<void()> task) {
  return queue_.TryPush(std::move(task), 0);
}

void ThreadPool::Shutdown() {
  queue_.Close();
  MutexLock lock(&join_mu_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace shoal
