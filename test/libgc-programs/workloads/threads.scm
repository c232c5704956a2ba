;; Four threads that allocate and share, futures, guardians, weak tables. What the collector may or may not
;; have found by then is only ever compared with a bound.
(use-modules (ice-9 threads) (ice-9 futures) (srfi srfi-1))

(define (say . things)
  (for-each display things)
  (newline))

(define (work seed)
  (let next ((i 0) (sum 0) (kept '()))
    (if (= i 400000)
        (+ sum (length kept))
        (next (+ i 1)
              (+ sum (vector-ref (vector seed i) 1) (length (list i seed sum)))
              (if (= 0 (modulo i 5000)) '() (cons i kept))))))

(define threads (map (lambda (seed) (call-with-new-thread (lambda () (work seed)))) (iota 4)))
(say "threads " (map join-thread threads))

(define table (make-hash-table))
(define lock (make-mutex))
;; Few turns, and nothing is made with the lock held: guile 3.0.8 now and then loses the wakeup of a thread that
;; queues for a mutex while it collects, with Debian's library too (2 of 1000 runs with 5000 turns, as with ours).
(define writers
  (map (lambda (seed)
         (call-with-new-thread
          (lambda ()
            (do ((i 0 (+ i 1))) ((= i 1000))
              (let ((text (make-string 100 #\x)))
                (with-mutex lock
                  (hash-set! table (+ (* seed 1000) i) text)))))))
       (iota 4)))
(for-each join-thread writers)
(say "table " (hash-fold (lambda (key value sum) (+ sum (string-length value))) 0 table))

(say "futures "
     (fold + 0 (map touch (map (lambda (n) (future (fold + 0 (iota (* 1000 n))))) (iota 40)))))
(say "parallel " (fold + 0 (par-map (lambda (n) (length (iota n))) (iota 500))))

;; Short-lived threads, whose stacks come and go.
(say "short "
     (fold + 0 (map (lambda (n) (join-thread (call-with-new-thread (lambda () (length (iota n))))))
                    (iota 200))))

(define guardian (make-guardian))
(define (guard count)
  (when (> count 0)
    (guardian (list count))
    (guard (- count 1))))
(define (guarded count)
  (let ((object (guardian)))
    (if object (guarded (+ count 1)) count)))
(guard 2000)
(gc)
(gc)
(say "guardian " (> (guarded 0) 1800))

(define weak (make-weak-key-hash-table))
(define held (map list (iota 100)))
(define (fill count)
  (when (> count 0)
    (hashq-set! weak (list count) count)
    (fill (- count 1))))
(for-each (lambda (key) (hashq-set! weak key 0)) held)
(fill 2000)
(gc)
(gc)
(define left (hash-fold (lambda (key value count) (+ count 1)) 0 weak))
(say "weak " (<= 100 left 400) " " (every (lambda (key) (eqv? 0 (hashq-ref weak key))) held))
