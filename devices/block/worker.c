// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a thread for what io_uring cannot do
 *
 * Discarding on a block device that does not promise zeros afterwards is an
 * ioctl, which can take seconds. A disk that needs it has one thread that
 * does such requests one after the other; the result comes back to the loop
 * as a posted call.
 */
#include "devices/block/block_priv.h"

static void worker_result(struct loop_call *call)
{
	struct block_req *req = container_of(call, struct block_req, call);

	block_complete(req, req->res);
}

static void *worker_thread(void *arg)
{
	struct block_worker *worker = arg;
	struct block_req *req;
	struct list *link;

	pthread_mutex_lock(&worker->mutex);
	while (!worker->stop) {
		link = list_pop(&worker->queue);
		if (!link) {
			pthread_cond_wait(&worker->cond, &worker->mutex);
			continue;
		}
		pthread_mutex_unlock(&worker->mutex);
		req = list_entry(link, struct block_req, call.link);
		req->res = worker->work(req);
		loop_call_init(&req->call, worker_result);
		iothread_post(block_lane_loop(req->lane), &req->call);
		pthread_mutex_lock(&worker->mutex);
	}
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

/**
 * block_worker_start() - start the thread
 * @worker: zeroed
 * @work: what it does with each request; may block
 *
 * Return: 0 or a negative errno.
 */
int block_worker_start(struct block_worker *worker,
		       int (*work)(struct block_req *req))
{
	int ret;

	pthread_mutex_init(&worker->mutex, NULL);
	pthread_cond_init(&worker->cond, NULL);
	list_init(&worker->queue);
	worker->work = work;
	ret = pthread_create(&worker->thread, NULL, worker_thread, worker);
	if (ret) {
		pthread_cond_destroy(&worker->cond);
		pthread_mutex_destroy(&worker->mutex);
		return -ret;
	}
	worker->started = true;
	return 0;
}

/**
 * block_worker_stop() - end the thread
 * @worker: nothing is queued; one that was not started is fine
 *
 * Context: may block until the thread has ended.
 */
void block_worker_stop(struct block_worker *worker)
{
	if (!worker->started)
		return;
	pthread_mutex_lock(&worker->mutex);
	worker->stop = true;
	pthread_cond_signal(&worker->cond);
	pthread_mutex_unlock(&worker->mutex);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->cond);
	pthread_mutex_destroy(&worker->mutex);
	worker->started = false;
}

/**
 * block_worker_queue() - have a request done
 * @worker: the worker
 * @req: the request; it is completed on its lane's thread
 *
 * Context: the lane's thread; does not wait for work that is being done.
 */
void block_worker_queue(struct block_worker *worker, struct block_req *req)
{
	pthread_mutex_lock(&worker->mutex);
	list_add_tail(&worker->queue, &req->call.link);
	pthread_cond_signal(&worker->cond);
	pthread_mutex_unlock(&worker->mutex);
}

/**
 * block_worker_unqueue() - take back a request that has not begun
 * @worker: the worker
 * @req: the request
 *
 * Context: the lane's thread.
 * Return: true when it was still waiting; the caller completes it.
 */
bool block_worker_unqueue(struct block_worker *worker, struct block_req *req)
{
	struct list *link;
	bool found = false;

	pthread_mutex_lock(&worker->mutex);
	for (link = worker->queue.next; link != &worker->queue && !found;
	     link = link->next)
		found = link == &req->call.link;
	if (found)
		list_del(&req->call.link);
	pthread_mutex_unlock(&worker->mutex);
	return found;
}
