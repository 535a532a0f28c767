//! Edits leave everything else where it is.

use lvs_cf::{BlockKind, Tree};

const FILE: &str = "\
# The web farm.
primary   =  10.0.0.1

keepalive = 6   \t
virtual web {   
\tport = 8080
\t# first rack
\tserver a {
\t\tweight = 3
\t}

} # web
# the end";

fn edited(edit: impl FnOnce(&mut Tree)) -> String {
    let mut tree = Tree::parse(FILE.as_bytes());
    edit(&mut tree);
    String::from_utf8(tree.to_bytes()).unwrap()
}

#[test]
fn an_existing_key_keeps_its_spacing() {
    let text = edited(|tree| tree.root_mut().set("primary", &["10.0.0.9"]).unwrap());
    assert_eq!(text, FILE.replace("10.0.0.1", "10.0.0.9"));
}

#[test]
fn a_new_key_stands_behind_its_neighbours_and_above_the_servers() {
    let text = edited(|tree| {
        tree.root_mut().set("deadtime", &["18"]).unwrap();
        let web = tree.root_mut().blocks_mut().next().unwrap();
        web.set("address", &["10.0.0.80", "eth0:1"]).unwrap();
        web.set("expect", &["HTTP"]).unwrap();
        web.blocks_mut().next().unwrap().set("address", &["10.0.1.1"]).unwrap();
    });
    let want = FILE
        .replace("keepalive = 6   \t\n", "keepalive = 6   \t\ndeadtime = 18\n")
        .replace("8080\n", "8080\n\taddress = 10.0.0.80 eth0:1\n\texpect = \"HTTP\"\n")
        .replace("weight = 3\n", "weight = 3\n\t\taddress = 10.0.1.1\n");
    assert_eq!(text, want);
}

#[test]
fn keys_and_blocks_go_without_a_trace() {
    let text = edited(|tree| {
        assert_eq!(tree.root_mut().remove("keepalive"), 1);
        assert_eq!(tree.root_mut().remove("deadtime"), 0);
        let web = tree.root_mut().blocks_mut().next().unwrap();
        web.retain_blocks(|server| server.name().unwrap() != "a");
    });
    let want = FILE.replace("keepalive = 6   \t\n", "").replace("\tserver a {\n\t\tweight = 3\n\t}\n", "");
    assert_eq!(text, want);
}

#[test]
fn a_new_block_stands_at_the_end() {
    let text = edited(|tree| {
        let mail = tree.root_mut().add_block(BlockKind::Virtual, b"mail farm").unwrap();
        mail.set("port", &["25"]).unwrap();
        mail.add_block(BlockKind::Server, b"b").unwrap().set("weight", &["1"]).unwrap();
    });
    let added =
        "\nvirtual \"mail farm\" {\n     port = 25\n     server b {\n         weight = 1\n     }\n}\n";
    assert_eq!(text, FILE.to_owned() + added);
}

#[test]
fn an_open_block_is_closed_before_another_is_added() {
    let mut tree = Tree::parse(b"virtual a {\r\n server s {\r\n  weight = 1");
    tree.root_mut().add_block(BlockKind::Failover, b"f").unwrap();
    let want = "virtual a {\r\n server s {\r\n  weight = 1\r\n }\r\n}\r\nfailover f {\r\n}\r\n";
    assert_eq!(String::from_utf8(tree.to_bytes()).unwrap(), want);
}

#[test]
fn values_are_found_where_the_last_one_counts() {
    let tree = Tree::parse(b"primary = 10.0.0.1\nprimary = \"10.0.0.2\"\nkeepalive\n");
    assert_eq!(tree.root().get("primary"), Some(vec!["10.0.0.2".into()]));
    assert_eq!(tree.root().get("keepalive"), None);
}

#[test]
fn what_cannot_stand_here_is_refused() {
    let mut tree = Tree::parse(FILE.as_bytes());
    let root = tree.root_mut();
    assert!(root.set("weight", &["1"]).is_err());
    assert!(root.set("active_cmd", &["two\nlines"]).is_err());
    assert!(root.add_block(BlockKind::Server, b"s").is_err());
    let web = root.blocks_mut().next().unwrap();
    assert!(web.add_block(BlockKind::Virtual, b"v").is_err());
    // Apostrophes would reach the checker, so only double quotes will do here.
    assert!(web.set("expect", &["say \"hi\""]).is_err());
    assert_eq!(tree.to_bytes(), FILE.as_bytes());
}
