# Attribute sets, lists, strings and calls by the ten thousand.
let
  range = count: builtins.genList (i: i) count;
  entries = builtins.listToAttrs (map
    (i: { name = "k${toString i}"; value = { number = i; pair = [ i (i + 1) ]; text = "v${toString i}"; }; })
    (range 60000));
  sum = builtins.foldl' (total: i: total + (builtins.getAttr "k${toString i}" entries).number) 0 (range 60000);
  fibonacci = n: if n < 2 then n else fibonacci (n - 1) + fibonacci (n - 2);
  changed = builtins.mapAttrs (name: value: value // { name = name + value.text; }) entries;
  lengths = builtins.foldl' (total: value: total + builtins.stringLength value.name) 0 (builtins.attrValues changed);
  parsed = builtins.fromJSON (builtins.toJSON changed);
in {
  inherit sum lengths;
  calls = fibonacci 22;
  names = builtins.length (builtins.attrNames (entries // changed));
  json = builtins.length (builtins.attrNames parsed);
  hash = builtins.hashString "sha256" (builtins.toJSON parsed);
  sorted = builtins.head (builtins.sort (a: b: a > b) (range 20000));
}
