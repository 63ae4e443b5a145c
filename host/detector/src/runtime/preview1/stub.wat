;; `wasi_snapshot_preview1` for plugins that import it without needing it, as modules in Go, C++ or C with stdio do.
;; It grants nothing: what is printed goes to the host's log, clocks count or stand still, random numbers are the
;; same in every run, there are no files, arguments, variables or sockets.
;;
;; wit-component puts it beside the plugin's own module ("adapter"). It has no memory of its own and writes into the
;; plugin's only what was asked for. It calls the host for output alone: the clock is also read while the host
;; allocates memory in the plugin (by Go's garbage collector), when the host cannot be called.
(module
  (import "env" "memory" (memory 0))
  (import "ingest:preview1/output@0.1.0" "write" (func $output (param i32 i32 i32)))

  ;; What the functions return. Nothing but 0 to 2 is open, and nothing can be opened.
  (global $success i32 (i32.const 0))
  (global $bad-descriptor i32 (i32.const 8))
  (global $invalid i32 (i32.const 28))

  ;; It moves each time it is read, and with each sleep. It is never 0, at which Go does not start.
  (global $nanos (mut i64) (i64.const 0))
  (global $random (mut i64) (i64.const 0x2545F4914F6CDD1D))

  (func $is-standard (param $fd i32) (result i32)
    (i32.lt_u (local.get $fd) (i32.const 3)))

  (func $of-standard (param $fd i32) (result i32)
    (select (global.get $success) (global.get $bad-descriptor) (call $is-standard (local.get $fd))))

  ;; Output

  (func $fd_write (export "fd_write")
    (param $fd i32) (param $parts i32) (param $count i32) (param $written i32) (result i32)
    (local $bytes i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (global.get $bad-descriptor))))
    (i32.store (local.get $written) (i32.const 0))
    (loop $next
      (if (local.get $count) (then
        (local.set $bytes (i32.load offset=4 (local.get $parts)))
        (if (local.get $bytes) (then
          (call $output (i32.eq (local.get $fd) (i32.const 2)) (i32.load (local.get $parts)) (local.get $bytes))))
        (i32.store (local.get $written) (i32.add (i32.load (local.get $written)) (local.get $bytes)))
        (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))
    (global.get $success))

  ;; It does not return, so there is nothing else that it could do. Its name is in the backtrace.
  (func $proc_exit (export "proc_exit") (param i32) unreachable)
  (func $proc_raise (export "proc_raise") (param i32) (result i32) unreachable)

  ;; Time and chance

  (func $clock_time_get (export "clock_time_get")
    (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (global.set $nanos (i64.add (global.get $nanos) (i64.const 1000)))
    ;; By the clock on the wall, it is always 1970.
    (i64.store (local.get $time) (select (global.get $nanos) (i64.const 0) (local.get $clock)))
    (global.get $success))

  (func $clock_res_get (export "clock_res_get") (param $clock i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000))
    (global.get $success))

  ;; xorshift64, a byte at a time.
  (func $random_get (export "random_get") (param $at i32) (param $count i32) (result i32)
    (loop $next
      (if (local.get $count) (then
        (global.set $random (i64.xor (global.get $random) (i64.shl (global.get $random) (i64.const 13))))
        (global.set $random (i64.xor (global.get $random) (i64.shr_u (global.get $random) (i64.const 7))))
        (global.set $random (i64.xor (global.get $random) (i64.shl (global.get $random) (i64.const 17))))
        (i64.store8 (local.get $at) (i64.shr_u (global.get $random) (i64.const 56)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))
    (global.get $success))

  ;; Everything that is waited for has come: the clock moves to the last time that is waited for.
  (func $poll_oneoff (export "poll_oneoff")
    (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $until i64)
    (if (i32.eqz (local.get $count)) (then (return (global.get $invalid))))
    (i32.store (local.get $events) (local.get $count))
    (loop $next
      (if (local.get $count) (then
        (memory.fill (local.get $out) (i32.const 0) (i32.const 32))
        (i64.store (local.get $out) (i64.load (local.get $in)))
        (i32.store8 offset=10 (local.get $out) (i32.load8_u offset=8 (local.get $in)))
        (if (i32.eqz (i32.load8_u offset=8 (local.get $in))) (then
          (local.set $until (i64.load offset=24 (local.get $in)))
          (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1))) (then
            (local.set $until (i64.add (local.get $until) (global.get $nanos)))))
          (if (i64.gt_u (local.get $until) (global.get $nanos)) (then (global.set $nanos (local.get $until))))))
        (local.set $in (i32.add (local.get $in) (i32.const 48)))
        (local.set $out (i32.add (local.get $out) (i32.const 32)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))
    (global.get $success))

  (func $sched_yield (export "sched_yield") (result i32) (global.get $success))

  ;; No arguments and no variables

  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (global.get $success))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (func $args_get (export "args_get") (param i32 i32) (result i32) (global.get $success))
  (func $environ_get (export "environ_get") (param i32 i32) (result i32) (global.get $success))

  ;; Standard input is empty. All three are terminals, for which C's stdio keeps no more than a line.

  (func $fd_read (export "fd_read") (param $fd i32) (param i32 i32) (param $read i32) (result i32)
    (if (local.get $fd) (then (return (global.get $bad-descriptor))))
    (i32.store (local.get $read) (i32.const 0))
    (global.get $success))

  (func $fd_fdstat_get (export "fd_fdstat_get") (param $fd i32) (param $status i32) (result i32)
    (if (call $is-standard (local.get $fd)) (then
      (memory.fill (local.get $status) (i32.const 0) (i32.const 24))
      (i32.store8 (local.get $status) (i32.const 2))
      ;; The rights: to read, or to write.
      (i64.store offset=8 (local.get $status) (select (i64.const 0x40) (i64.const 0x2) (local.get $fd)))))
    (call $of-standard (local.get $fd)))

  (func $fd_filestat_get (export "fd_filestat_get") (param $fd i32) (param $status i32) (result i32)
    (if (call $is-standard (local.get $fd)) (then
      (memory.fill (local.get $status) (i32.const 0) (i32.const 64))
      (i32.store8 offset=16 (local.get $status) (i32.const 2))))
    (call $of-standard (local.get $fd)))

  (func $fd_fdstat_set_flags (export "fd_fdstat_set_flags")
    (param $fd i32) (param i32) (result i32) (call $of-standard (local.get $fd)))
  (func $fd_close (export "fd_close") (param $fd i32) (result i32) (call $of-standard (local.get $fd)))
  (func $fd_sync (export "fd_sync") (param $fd i32) (result i32) (call $of-standard (local.get $fd)))
  (func $fd_datasync (export "fd_datasync") (param $fd i32) (result i32) (call $of-standard (local.get $fd)))

  ;; No files, folders and sockets

  (func $bad-2 (param i32 i32) (result i32) (global.get $bad-descriptor))
  (export "fd_prestat_get" (func $bad-2))
  (export "fd_renumber" (func $bad-2))
  (export "fd_tell" (func $bad-2))
  (export "sock_shutdown" (func $bad-2))
  (func $bad-3 (param i32 i32 i32) (result i32) (global.get $bad-descriptor))
  (export "fd_prestat_dir_name" (func $bad-3))
  (export "path_create_directory" (func $bad-3))
  (export "path_remove_directory" (func $bad-3))
  (export "path_unlink_file" (func $bad-3))
  (export "sock_accept" (func $bad-3))
  (func $bad-5 (param i32 i32 i32 i32 i32) (result i32) (global.get $bad-descriptor))
  (export "path_filestat_get" (func $bad-5))
  (export "path_symlink" (func $bad-5))
  (export "sock_send" (func $bad-5))
  (func $bad-6 (param i32 i32 i32 i32 i32 i32) (result i32) (global.get $bad-descriptor))
  (export "path_readlink" (func $bad-6))
  (export "path_rename" (func $bad-6))
  (export "sock_recv" (func $bad-6))
  (func $path_link (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (global.get $bad-descriptor))
  (func $path_open (export "path_open")
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (global.get $bad-descriptor))
  (func $path_filestat_set_times (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32)
    (global.get $bad-descriptor))
  (func $bad-at (param i32 i32 i32 i64 i32) (result i32) (global.get $bad-descriptor))
  (export "fd_pread" (func $bad-at))
  (export "fd_pwrite" (func $bad-at))
  (export "fd_readdir" (func $bad-at))
  (func $fd_seek (export "fd_seek") (param i32 i64 i32 i32) (result i32) (global.get $bad-descriptor))
  (func $fd_advise (export "fd_advise") (param i32 i64 i64 i32) (result i32) (global.get $bad-descriptor))
  (func $fd_filestat_set_times (export "fd_filestat_set_times")
    (param i32 i64 i64 i32) (result i32) (global.get $bad-descriptor))
  (func $fd_filestat_set_size (export "fd_filestat_set_size")
    (param i32 i64) (result i32) (global.get $bad-descriptor))
  (func $bad-range (param i32 i64 i64) (result i32) (global.get $bad-descriptor))
  (export "fd_allocate" (func $bad-range))
  (export "fd_fdstat_set_rights" (func $bad-range)))
