# Counts the words and the pairs of neighbours of a made-up text, line by line, and sorts them.
use strict;
use warnings;

my (%words, %pairs, $seed);
$seed = 1;
for my $line (1 .. 40000) {
    my @text = map { $seed = ($seed * 1103515245 + 12345) % 2**31; "word" . ($seed >> 8) % 5000 } 1 .. 12;
    my $joined = join " ", @text;
    my $before;
    for my $word (map { lc } split / /, $joined) {
        $words{$word}++;
        $pairs{"$before $word"}++ if defined $before;
        $before = $word;
    }
}
my @most = (sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words)[0 .. 9];
die "wrong" unless @most == 10 && keys(%pairs) > 100000;
