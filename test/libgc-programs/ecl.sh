# ECL's interpreter: trees, hash tables, bignums, strings, closures, CLOS, conditions.
programs=(ecl)
command=(ecl --norc --shell "$workloads/objects.lisp")
