# Guile's interpreter: conses, vectors, bignums, strings, ports, closures, continuations.
programs=(guile-3.0)
command=(guile-3.0 --no-auto-compile "$workloads/objects.scm")
