// A fixed pool of named threads, and the naming of any thread.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/mutex.h"

namespace shoal {

// The name shows in top and gdb; at most 15 bytes are kept.
void SetThreadName(const std::string& name);

// Thread safe. The destructor runs what was accepted, then joins.
class ThreadPool {
 public:
  // `queue_max`: tasks that may wait.
  ThreadPool(const std::string& name, int threads, size_t queue_max);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Blocks while the queue is full. False after Shutdown.
  bool Submit(std::function<void()> task);
  // False when the queue is full or after Shutdown; the task is dropped.
  bool TrySubmit(std::function<void()> task);
  // Runs what waits, then joins. Idempotent; never from a task of the pool.
  void Shutdown();

 private:
  BoundedQueue<std::function<void()>> queue_;
  Mutex
      join_mu_;  // held while joining, so that a second Shutdown returns no earlier than the first
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(join_mu_);
};

}  // namespace shoal
