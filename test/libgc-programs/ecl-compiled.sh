# The same Lisp, compiled to machine code beforehand, with more of everything.
programs=(ecl gcc)
command=(ecl --norc --eval '(defparameter *scale* 6)' --load objects.fas --eval '(ext:quit 0)')

prepare() {
    ecl --norc --eval "(compile-file \"$workloads/objects.lisp\" :output-file \"$PWD/objects.fas\")" \
        --eval '(ext:quit 0)'
}
