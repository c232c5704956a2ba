;; Compiles the modules of the current folder in their order, as "guild compile -L . -o" would.
(define compile (@ (scripts compile) compile))
(define modules
  (call-with-input-file "order" (lambda (port)
    (let next ((names '()))
      (let ((name (read port)))
        (if (eof-object? name) (reverse names) (next (cons (symbol->string name) names))))))))

(for-each (lambda (name)
            (compile "-O2" "-L" "." "-o" (string-append "output/" name ".go")
                     (string-append name ".scm")))
          modules)
