#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# between.pl MARK CODEFILE - the output of one command out of a whole console
#
# Standard input is a console on which the guest's init prints the line
# "MARK begin", then the command's output, a line break, and the line
# "MARK end CODE". The output is passed on byte by byte as it comes, and CODE is
# written to CODEFILE. The rest of the console goes nowhere. If the end never
# comes, so does what was held back, and CODEFILE is not made.

use strict;
use warnings;

my ($mark, $codefile) = @ARGV;
my $end = qr/\r?\n\Q$mark\E end (\d+)\r?\n/;
my $longest = length($mark) + 16;
my ($pending, $begun, $done) = ('', 0, 0);

binmode STDIN;
binmode STDOUT;
$| = 1;
while (sysread(STDIN, my $bytes, 65536)) {
	next if $done;
	$pending .= $bytes;
	if (!$begun) {
		next unless $pending =~ s/\A.*?\Q$mark\E begin\r?\n//s;
		$begun = 1;
	}
	if ($pending =~ s/$end.*//s) {
		open(my $file, '>', $codefile) or die "$codefile: $!\n";
		print $file "$1\n";
		close($file) or die "$codefile: $!\n";
		print $pending;
		$done = 1;
		next;
	}
	# What may turn out to be the beginning of the end is held back.
	my $keep = rindex($pending, "\n");
	$keep-- if $keep > 0 && substr($pending, $keep - 1, 1) eq "\r";
	$keep = length($pending) if $keep < 0 ||
		length($pending) - $keep > $longest;
	print substr($pending, 0, $keep, '');
}
print $pending if $begun && !$done;
