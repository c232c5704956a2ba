# ECL's compiler, which starts gcc, and what it made, loaded into the process that made it.
programs=(ecl gcc)
command=(ecl --norc --eval
    "(load (compile-file \"$workloads/objects.lisp\" :output-file \"output/objects.fas\" :verbose nil :print nil))"
    --eval '(ext:quit 0)')
