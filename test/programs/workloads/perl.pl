# The work of the perl case: hashes, closures, regular expressions, sorting, weak references, interpreter
# threads, forks, pipes and sockets. Each section prints one line that is a count or a digest, the same on
# every machine. Live data stays small, so that a collector which runs very often still finishes in time.
use strict;
use warnings;
use threads;
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use List::Util qw(sum);
use Scalar::Util qw(weaken);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Storable qw(dclone freeze thaw);

$| = 1;

sub digest { return substr(sha256_hex(join "\0", @_), 0, 16) }

# Park and Miller's generator; rand's sequences may change between versions.
sub numbers {
    my $state = shift;
    return sub { return $state = $state * 16807 % 2147483647 };
}

sub hashes {
    my $next = numbers(3);
    my (%table, %deep);
    for my $step (1 .. 150_000) {
        my $key = 'key' . $next->() % 7000;
        if ($step % 3 == 0) { delete $table{$key} }
        else { $table{$key} = [$step, $key x 2] }
        push @{ $deep{ $step % 11 }{ length $key }{$key} }, $step if $step % 10 == 0;
    }
    my @lines = map {"$_ $table{$_}[0] $table{$_}[1]"} sort keys %table;
    my $leaves = sum map { scalar map { values %$_ } values %$_ } values %deep;
    return digest(@lines, $leaves);
}

sub closures {
    my @counters = map { my $count = $_; { up => sub { $count += shift }, show => sub {$count} } } 1 .. 3000;
    for my $turn (1 .. 20) { $_->{up}->($turn) for @counters }
    my $composed = sub { $_[0] };
    for my $add (1 .. 80) {
        my $inner = $composed;
        $composed = sub { $inner->($_[0]) + $add };
    }
    # Each evaluation compiles a subroutine of its own, soon dropped.
    my $sum = 0;
    $sum += eval("sub { my \$value = shift; \$value * $_ + 1 }")->(2) for 1 .. 3000;
    return digest((map { $_->{show}->() } @counters), $composed->(0), $sum);
}

sub expressions {
    my $next = numbers(5);
    my @lines = map { sprintf '%d user%d@host%d.example', $next->(), $next->() % 97, $next->() % 13 } 1 .. 9000;
    my $text = join "\n", @lines;
    my %hosts;
    $hosts{$1}++ while $text =~ /\@([\w.]+)$/mg;
    (my $swapped = $text) =~ s/^(\d+) (?<user>\w+)\@(?<host>\S+)$/"$+{host}:$+{user}:" . length $1/gme;
    my $count = 0;
    for my $user (0 .. 96) {
        my $expression = qr/user$user\@host(?:\d)(?=[.])/;
        $count += () = $text =~ /$expression/g;
    }
    my ($balanced) = '(a(b)((c)d)e)f)' =~ /^(\((?:[^()]++|(?1))*\))/;
    (my $letters = 'hello world') =~ tr/a-y/b-z/;
    return digest($swapped, $count, $balanced, $letters, map {"$_=$hosts{$_}"} sort keys %hosts);
}

sub sorting {
    my $next = numbers(9);
    my @records = map { { id => $_, weight => $next->() % 500, name => sprintf('%08x', $next->()) } } 1 .. 15_000;
    my @by_weight = sort { $a->{weight} <=> $b->{weight} or $b->{name} cmp $a->{name} } @records;
    my @by_tail = map { $_->[1] }
        sort { $a->[0] cmp $b->[0] or $a->[1] cmp $b->[1] }
        map { [substr($_->{name}, -3), $_->{name}] } @records;
    my $packed = pack '(N/a*)*', @by_tail;
    my $formatted = sprintf '%.6f|%-10s|%+05d|%e', 355 / 113, 'left', 42, 1 / 7;
    return digest((map { $_->{id} } @by_weight), unpack('(N/a*)*', $packed), $formatted);
}

package Watched {
    my $destroyed = 0;
    sub new { my ($class, $name) = @_; return bless { name => $name, load => [(1) x 10] }, $class }
    sub DESTROY { $destroyed++ }
    sub destroyed { return $destroyed }
}

# Parents and children point at each other; the weak way back must let go exactly when the parent does.
sub weak_references {
    my $kept = 0;
    for my $turn (1 .. 40) {
        my @parents;
        for my $index (1 .. 150) {
            my $parent = Watched->new($index);
            for (1 .. 3) {
                my $child = Watched->new("$index.$_");
                $child->{parent} = $parent;
                weaken $child->{parent};
                push @{ $parent->{children} }, $child;
            }
            push @parents, $parent;
        }
        my @orphans = map { $_->{children}[0] } @parents;
        $kept += grep { defined $_->{parent} } @orphans;
        @parents = @parents[0 .. 49];
        $kept += grep { defined $_->{parent} } @orphans;
    }
    my $tree = { leaf => [1 .. 5], inner => { list => [map { { number => $_ } } 1 .. 3000] } };
    my $copy = dclone $tree;
    $copy->{inner}{list}[$_]{number} *= 2 for 0 .. 2999;
    my $thawed = thaw freeze $copy;
    my $sum = sum map { $_->{number} } @{ $thawed->{inner}{list} }, @{ $tree->{inner}{list} };
    return join ' ', $kept, Watched::destroyed(), $sum;
}

# Every thread gets a clone of the whole interpreter.
sub interpreters {
    my %shared_by_copy = map { $_ => "value $_" } 1 .. 2000;
    my @results;
    for my $round (1 .. 3) {
        my @threads = map {
            my $index = $_;
            threads->create(sub {
                my %mine = map { $_ => $shared_by_copy{$_} x $index } keys %shared_by_copy;
                return digest(map { $mine{$_} } sort keys %mine);
            });
        } 1 .. 4;
        push @results, map { $_->join } @threads;
    }
    return digest(@results);
}

sub processes {
    my @answers;
    for my $index (1 .. 25) {
        pipe my $reader, my $writer or die "pipe: $!";
        my $child = fork // die "fork: $!";
        if ($child == 0) {
            close $reader;
            my %work = map { $_ => $_ * $index } 1 .. 3000;
            print {$writer} digest(map { $work{$_} } sort keys %work), "\n";
            close $writer;
            exec '/bin/sh', '-c', "exit $index";
        }
        close $writer;
        chomp(my $answer = <$reader>);
        waitpid($child, 0) == $child or die "waitpid: $!";
        die "child $index: status $?" if $? != $index << 8;
        push @answers, $answer;
    }
    push @answers, map {`echo command $_ | tr a-z A-Z`} 1 .. 10;
    open my $sorted, '-|', 'printf "c\nb\na\n" | sort' or die "open: $!";
    push @answers, <$sorted>;
    close $sorted or die "sort: $?";

    # Many children at once, each ended by a signal that interrupts its sleep.
    my @sleepers = map {
        pipe my $reader, my $writer or die "pipe: $!";
        my $child = fork // die "fork: $!";
        if ($child == 0) {
            my $asked = 0;
            $SIG{USR1} = sub { $asked = 1 };
            syswrite $writer, 'r';
            # select's result does not matter: the flag is looked at often enough either way.
            select undef, undef, undef, 0.05 until $asked;
            exit 7;
        }
        sysread $reader, my $ready, 1;
        $child;
    } 1 .. 10;
    kill 'USR1', @sleepers;
    for (@sleepers) { waitpid $_, 0; push @answers, $? >> 8, $? & 127 }
    return digest(@answers);
}

sub sockets {
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
    my $echo = fork // die "fork: $!";
    if ($echo == 0) {
        close $near;
        $far->autoflush(1);
        while (my $line = <$far>) { chomp $line; print {$far} scalar reverse($line), "\n" }
        exit 0;
    }
    close $far;
    $near->autoflush(1);
    my @answers;
    for my $turn (1 .. 1500) {
        print {$near} "line $turn " . 'x' x ($turn % 200), "\n";
        push @answers, scalar <$near>;
    }
    close $near;
    waitpid $echo, 0;
    push @answers, $?;

    my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8, Proto => 'tcp');
    die "listen: $@" unless $server;
    my $port = $server->sockport;
    my @clients = map {
        my $index = $_;
        my $client = fork // die "fork: $!";
        if ($client == 0) {
            my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp');
            die "connect: $@" unless $socket;
            print {$socket} "$index " . 'payload ' x 2000, "\n";
            my $answer = <$socket>;
            exit($answer eq "$index 16000\n" ? 0 : 1);
        }
        $client;
    } 1 .. 8;
    for (@clients) {
        my $socket = $server->accept or die "accept: $!";
        my ($index, $load) = split / /, scalar <$socket>, 2;
        print {$socket} $index, ' ', length($load) - 1, "\n";
        close $socket;
    }
    for (@clients) { waitpid $_, 0; push @answers, $? }
    return digest(@answers);
}

my %sections = (
    hashes => \&hashes, closures => \&closures, expressions => \&expressions, sorting => \&sorting,
    weak_references => \&weak_references, interpreters => \&interpreters, processes => \&processes,
    sockets => \&sockets,
);
print "$_ ", $sections{$_}->(), "\n" for sort keys %sections;
