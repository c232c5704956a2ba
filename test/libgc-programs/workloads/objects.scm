;; Objects of every kind, made in numbers and checked by what they add up to.
(use-modules (srfi srfi-1) (ice-9 rdelim) (ice-9 control))

(define (say . things)
  (for-each display things)
  (newline))

(define (conses rounds)
  (let next ((round 0) (sum 0))
    (if (= round rounds)
        sum
        (next (+ round 1) (+ sum (fold + 0 (map (lambda (n) (* n n)) (iota 1000))))))))

(define (tree depth)
  (if (= depth 0) '() (cons (tree (- depth 1)) (tree (- depth 1)))))

(define (leaves tree)
  (if (null? tree) 1 (+ (leaves (car tree)) (leaves (cdr tree)))))

(define (vectors rounds)
  (let ((kept (make-vector 1000 #f)))
    (do ((i 0 (+ i 1))) ((= i rounds))
      (vector-set! kept (modulo (* i 7919) 1000) (make-vector (+ 1 (modulo i 64)) i)))
    (fold (lambda (v sum) (+ sum (vector-length v) (vector-ref v 0))) 0 (vector->list kept))))

(define (factorial n)
  (if (= n 0) 1 (* n (factorial (- n 1)))))

(define (digit-sum number)
  (string-fold (lambda (c sum) (+ sum (- (char->integer c) 48))) 0 (number->string number)))

(define (strings rounds)
  (let next ((i 0) (text "") (longest 0))
    (if (= i rounds)
        longest
        (let ((grown (if (> (string-length text) 3000) "" (string-append text (number->string i)))))
          (next (+ i 1) grown (max longest (string-length grown)))))))

(define (symbols count)
  (length (delete-duplicates
           (map (lambda (i) (string->symbol (string-append "s" (number->string (modulo i 100)))))
                (iota count)))))

(define (ports lines)
  (let ((text (call-with-output-string
               (lambda (port)
                 (do ((i 0 (+ i 1))) ((= i lines))
                   (write (list i 'is "a number" (/ i 7)) port)
                   (newline port))))))
    (call-with-input-string text
      (lambda (port)
        (let next ((sum 0))
          (let ((datum (read port)))
            (if (eof-object? datum) sum (next (+ sum (fourth datum))))))))))

(define (files lines)
  (call-with-output-file "output/lines"
    (lambda (port) (do ((i 0 (+ i 1))) ((= i lines)) (display i port) (newline port))))
  (call-with-input-file "output/lines"
    (lambda (port)
      (let next ((sum 0))
        (let ((line (read-line port)))
          (if (eof-object? line) sum (next (+ sum (string->number line)))))))))

(define (continuations rounds)
  (let next ((i 0) (sum 0))
    (if (= i rounds)
        sum
        (next (+ i 1)
              (+ sum (call/cc (lambda (k) (for-each (lambda (n) (if (= n 3) (k n))) (iota 10)) 0)))))))

(say "conses " (conses 150))
(say "tree " (leaves (tree 15)))
(say "vectors " (vectors 60000))
(say "bignums " (digit-sum (factorial 1500)) " " (quotient (expt 3 3000) (expt 3 2990)))
(say "strings " (strings 20000))
(say "symbols " (symbols 3000))
(say "ports " (ports 3000))
(say "files " (files 10000))
(say "continuations " (continuations 5000))
