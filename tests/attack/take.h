/*
 * What the programs that take too much share: see take.c.
 */
#ifndef TAKE_H
#define TAKE_H

#define TAKE_BLOCK_SIZE 65536
extern const char take_block[TAKE_BLOCK_SIZE];

/* Prints how far it came and the error's name.  Returns the exit code for that. */
int take_met_error(long done);

/* take_space.c */
int take_heap(long number);
int take_mapped(long number);
int take_zero_device(long number);
int make_landlock_rules(long number);
int fill_shared_memory(long number);
int fill_anonymous_files(long number);
int fill_pipes(long number);
int fill_sockets(long number);
int fill_page_tables(long number);
int fill_system_v(long number);
int take_by_child(long number);
int write_one_file(long number);
int write_file_of(long number);
int fill_disk(long number);
int make_files(long number);
int make_shared_files(long number);
int make_deep_tree(long number);
int make_sparse_file(long number);
int make_inotify(long number);
int make_epoll(long number);
int make_timers(long number);
int queue_signals(long number);

#endif
