# A page of a megabyte, laid out as text: tables, lists, links, entities.
programs=(w3m)
command=(w3m -dump -T text/html -cols 100 page.html)

prepare() {
    bash "$workloads/make-page" >page.html
}
