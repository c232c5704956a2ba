# Crystal's compiler up to the code generation: the standard library parsed and typed.
programs=(crystal)
command=(crystal build --no-codegen "$workloads/objects.cr")
