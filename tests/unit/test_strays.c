/*
 * Children that nobody told us of are waited for, and no others.
 */
#include "isolate/native/strays.h"

#include "isolate/native/sys.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static pid_t child(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static int pidfd_of(pid_t pid)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(pidfd >= 0);
    return pidfd;
}

/* It is dead, and not waited for. */
static void end(pid_t pid)
{
    siginfo_t ended;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
}

static void test_one_without_a_pidfd_is_waited_for(void **state)
{
    (void)state;
    const pid_t pid = child();
    end(pid);
    strays_reap();
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_one_that_is_known_stays(void **state)
{
    (void)state;
    int status = 0;
    const pid_t known = child(), stray = child();
    const int pidfd = pidfd_of(known);
    end(known);
    end(stray);
    strays_reap();
    assert_int_equal(waitpid(stray, NULL, WNOHANG), -1);
    assert_int_equal(sys_wait_pidfd(pidfd, &status, NULL), 0);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    close(pidfd);
}

static void test_one_that_lives_is_left_alone(void **state)
{
    (void)state;
    const pid_t pid = child();
    strays_reap();
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    end(pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_dying_is_waited_for(void **state)
{
    (void)state;
    const pid_t pid = child();
    const int pidfd = pidfd_of(pid);
    assert_false(sys_dies_within(pidfd, 1));
    end(pid);
    assert_true(sys_dies_within(pidfd, 0));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(pidfd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_without_a_pidfd_is_waited_for),
        cmocka_unit_test(test_one_that_is_known_stays),
        cmocka_unit_test(test_one_that_lives_is_left_alone),
        cmocka_unit_test(test_dying_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
