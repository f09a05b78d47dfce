/*
 * The keys of a policy's file: one table for the parser's dispatch, its refusal of unknown names,
 * and the reference in docs/policies.md.
 *
 * X(id, name, type, default, tighter, meaning).  The parser calls read_<id>().  `default` is what
 * holds when neither the file nor the policies that it extends have the key; `tighter` says what a
 * policy that extends another may put there without `loosen: true`.
 */
#ifndef POLICY_KEYS_H
#define POLICY_KEYS_H

#define POLICY_KEYS(X)                                                                             \
    X(description, "description", "text", "", "anything", "one line for `cella policy list`")      \
    X(extends, "extends", "name of a policy", "", "",                                              \
      "start from that policy; what this file says replaces what that one has")                    \
    X(loosen, "loosen", "true or false", "false", "",                                              \
      "this file may give more than the policy that it extends")                                   \
    X(limits, "limits", "mapping of limits", "the table of limits", "",                            \
      "a default and a cap for each limit, see limits.md")                                         \
    X(compile, "compile", "mapping", "", "", "the compile stage of compiled languages")            \
    X(languages, "languages", "list of names, or `all`", "all", "some of the base's",              \
      "languages that may be run, by name and not by alias; `[]`: none")                           \
    X(commands, "commands", "`none`, `all`, or list of patterns", "all",                           \
      "`none`; patterns of the base's, or paths that they match",                                  \
      "programs that a request may name as its `command`, by absolute path")                       \
    X(network, "network", "mapping", "", "", "what a run can reach")                               \
    X(syscalls, "syscalls", "mapping", "", "", "which system calls it may make")                   \
    X(mounts, "mounts", "list of mappings", "[]", "`none` at more places; less at the base's",     \
      "places of the host that a run sees, and places that it does not")                           \
    X(env, "env", "mapping", "", "", "environment variables")                                      \
    X(files_apart, "files_apart", "true or false", "false", "anything",                            \
      "put the request's files into /program, so that the workspace begins empty")                 \
    X(one_processor, "one_processor", "true or false", "false", "`true`",                          \
      "keep all processes of a run on one processor, which they cannot leave")                     \
    X(cold_start, "cold_start", "true or false", "false", "`true`",                                \
      "start every program anew, never as the child of a warm interpreter")                        \
    X(adaptive_timeout, "adaptive_timeout", "true or false", "false", "the base's",                \
      "the limit of wall-clock time follows what the same code took, unless the request says no")  \
    X(preload, "preload", "mapping of languages to lists", "{}", "anything",                       \
      "modules that the language's warm interpreters load too, where they are installed")          \
    X(compile_cache, "compile_cache", "`none`, `tenant` or `shared`", "tenant", "less",            \
      "compilations used again: none, those of the same tenant, or everybody's")                   \
    X(history, "history", "mapping", "", "", "what a server's history keeps of a run")             \
    X(control_groups, "control_groups", "`preferred` or `required`", "preferred", "`required`",    \
      "required: refuse a host on which limits are held by supervision alone")                     \
    X(on_output_limit, "on_output_limit", "`truncate` or `stop`", "truncate", "`stop`",            \
      "truncate: drop what is over an output limit, unless the request says stop; stop: end it")   \
    X(waive, "waive", "list of protections", "[]", "some of the base's",                           \
      "protections to leave out, as far as the keeper lets any be, see protections.md")

/* Of each limit; a number alone is no value. */
#define POLICY_BOUND_KEYS(X)                                                                       \
    X(default, "default", "value, or `derived`", "the table of limits, cut at the cap",            \
      "at most the base's", "when the request does not say; `derived`: from other limits")         \
    X(cap, "cap", "value", "the table of limits", "at most the base's",                            \
      "the most that a request may ask for; of cpus also `derived`: what the host has")

#define POLICY_COMPILE_KEYS(X)                                                                     \
    X(compile_limits, "limits", "mapping of limits", "what compilers need, within the run's caps", \
      "as `limits`", "likewise")

#define POLICY_NETWORK_KEYS(X)                                                                     \
    X(loopback, "loopback", "true or false", "true", "`false`",                                    \
      "an own loopback interface: servers and clients within the run")                             \
    X(host, "host", "true or false", "false", "`false`",                                           \
      "a request may ask for the host's network; the keeper's ceiling must allow it too")          \
    X(network_allow, "allow", "list", "[]", "", "not available yet: must be empty")

#define POLICY_SYSCALLS_KEYS(X)                                                                    \
    X(set, "set", "`default` or `strict`", "default", "`strict`",                                  \
      "the base set: what everyday programs need, or less")                                        \
    X(allow_calls, "allow", "list of calls", "[]", "some of the base's",                           \
      "calls beside the set, from a list that the keeper holds")                                   \
    X(deny_calls, "deny", "list of calls", "[]", "adds to the base's",                             \
      "calls of the set taken away; with `loosen` the list replaces the base's")

#define POLICY_MOUNT_KEYS(X)                                                                       \
    X(mount_path, "path", "absolute path", "must be there", "",                                    \
      "of the host, no part of it a link; with `none`, of the sandbox")                            \
    X(mount_at, "at", "absolute path", "the same path", "",                                        \
      "where the run sees it; a mount at the same place replaces the base's")                      \
    X(mount_access, "access", "`read_only`, `writable` or `none`", "read_only",                    \
      "less than the base's at that place", "none: what would be there is hidden")

#define POLICY_ENV_KEYS(X)                                                                         \
    X(env_set, "set", "mapping", "{}", "variables beside the base's",                              \
      "variables of every run; a request cannot change them")                                      \
    X(env_pass, "pass", "list of names", "[]", "some of the base's",                               \
      "variables passed on from the environment of whoever runs Cella")                            \
    X(env_allow, "allow", "list of names, or `all`", "all", "some of the base's",                  \
      "variables that a request may set; `[]`: none")

#define POLICY_HISTORY_KEYS(X)                                                                     \
    X(history_code, "code", "true or false", "true", "`false`",                                    \
      "the request: its code, files, arguments and input")                                         \
    X(history_output, "output", "true or false", "true", "`false`",                                \
      "the result: output, files, diagnosis; without it only the summary stays")

/* Every table, with what stands before its names: for the reference. */
#define POLICY_KEY_TABLES(X)                                                                       \
    X("", POLICY_KEYS)                                                                             \
    X("limits.NAME.", POLICY_BOUND_KEYS)                                                           \
    X("compile.", POLICY_COMPILE_KEYS)                                                             \
    X("network.", POLICY_NETWORK_KEYS)                                                             \
    X("syscalls.", POLICY_SYSCALLS_KEYS)                                                           \
    X("mounts[].", POLICY_MOUNT_KEYS)                                                              \
    X("env.", POLICY_ENV_KEYS)                                                                     \
    X("history.", POLICY_HISTORY_KEYS)

#endif
