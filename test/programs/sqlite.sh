#!/usr/bin/env bash
# The sqlite3 command: a transaction of 300,000 rows with write-ahead logging, indexes, aggregates, windows,
# triggers, JSON, full-text search, VACUUM, and a dump piped into a second database. The expected sums are
# arithmetic, not recorded from a run.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require sqlite3

serve sqlite3 -bail first.db >answers <<'END'
pragma journal_mode = wal;
pragma cache_size = -4000;
create table item(id integer primary key, bucket integer, text text);
begin;
with recursive counter(n) as (select 1 union all select n + 1 from counter where n < 300000)
insert into item select n, n * 7919 % 1000, 'text ' || n from counter;
commit;
create index item_bucket on item(bucket, id);

select 'rows', count(*), sum(id), sum(length(text)) from item;
select 'buckets', count(*), min(many), max(many) from (select count(*) many from item group by bucket);
select 'one bucket', count(*), min(id) from item where bucket = 919;
select 'joined', count(*) from item a join item b on b.id = a.id + 1000 and b.bucket = a.bucket;
select 'window', max(running) from (select sum(id) over (order by id rows 2 preceding) running from item);
select 'json', sum(json_extract(json_object('a', json_array(id, bucket)), '$.a[0]')) from item where id <= 20000;
select 'joined text', length(group_concat(text, '')) from (select text from item where id < 1000);
select 'sorted', text from item order by substr(text, 6) desc, id limit 1;

create table change(id integer, was integer);
create trigger changed after update of bucket on item begin insert into change values(old.id, old.bucket); end;
begin;
update item set bucket = bucket + 1000 where id % 10 = 0;
savepoint half;
delete from item where id % 2 = 0;
rollback to half;
commit;
select 'changed', count(*), sum(was) = (select sum(bucket - 1000) from item where bucket >= 1000) from change;
delete from item where id > 200000;

create virtual table words using fts5(body);
insert into words select 'word' || (id % 100) || ' group' || (id % 7) || ' ' || text from item where id <= 20000;
insert into words(words) values('optimize');
select 'found', count(*) from words where words match 'word42 group3';

vacuum;
select 'left', count(*), sum(id) from item;
pragma integrity_check;
END
cat >expected <<'END'
wal
rows|300000|45000150000|3188895
buckets|1000|300|300
one bucket|300|1
joined|299000
window|899997
json|200010000
joined text|7884
sorted|text 99999
changed|30000|1
found|28
left|200000|20000100000
ok
END
expect_file expected answers

serve sqlite3 first.db .dump | serve sqlite3 -bail second.db >/dev/null
serve sqlite3 second.db "
    attach 'first.db' as first;
    select count(*) from (select * from item except select * from first.item);
    select count(*) from item join first.item using (id, bucket, text);
    pragma integrity_check" >answers
printf '%s\n' 0 200000 ok >expected
expect_file expected answers
