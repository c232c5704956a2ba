;; Blocks whose addresses are only integers of Guile's.
(use-modules (system foreign))

(define library (dynamic-link (getenv "BLOCKS")))
(define make (pointer->procedure uintptr_t (dynamic-func "blocks_make" library) '()))
(define churn (pointer->procedure unsigned-int (dynamic-func "blocks_churn" library) '()))

(define held (make-vector 1000 0))
(let loop ((i 0))
  (when (< i 1000)
    (vector-set! held i (make))
    (loop (+ i 1))))
(format #t "kept ~a\n" (churn))
(vector-fill! held 0)
(gc)
(format #t "left ~a\n" (churn))
