//! Writes an `lvs.cf`.

use std::fmt;
use std::net::Ipv4Addr;

/// The settings of one block, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Settings(Vec<(String, String)>);

impl Settings {
    fn set(&mut self, key: &str, value: &dyn fmt::Display) {
        let value = value.to_string();
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        self.0.iter().try_for_each(|(key, value)| writeln!(f, "{indent}{key} = {value}"))
    }
}

/// A whole file; `to_string` gives its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    settings: Settings,
    /// The virtual servers.
    pub virtuals: Vec<Virtual>,
}

impl Config {
    /// Sets a global key.
    pub fn set(&mut self, key: &str, value: impl fmt::Display) -> &mut Config {
        self.settings.set(key, &value);
        self
    }

    /// The virtual server of this name. Panics if there is none.
    pub fn virtual_server(&mut self, name: &str) -> &mut Virtual {
        let found = self.virtuals.iter_mut().find(|block| block.name == name);
        found.unwrap_or_else(|| panic!("no virtual {name}"))
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.write(f, "")?;
        self.virtuals.iter().try_for_each(|block| write!(f, "{block}"))
    }
}

/// A virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    name: String,
    settings: Settings,
    servers: Vec<(String, Settings)>,
}

impl Virtual {
    /// An active virtual server without real servers.
    pub fn new(name: &str) -> Virtual {
        Virtual { name: name.to_owned(), settings: Settings::default(), servers: Vec::new() }
            .with("active", 1)
    }

    /// The same under another name.
    pub fn renamed(mut self, name: &str) -> Virtual {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets a key of the virtual server.
    pub fn set(&mut self, key: &str, value: impl fmt::Display) -> &mut Virtual {
        self.settings.set(key, &value);
        self
    }

    /// The same with a key set.
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Virtual {
        self.set(key, value);
        self
    }

    /// Adds an active real server.
    pub fn add_server(&mut self, name: &str, address: Ipv4Addr, weight: u32) -> &mut Virtual {
        let mut settings = Settings::default();
        settings.set("address", &address);
        settings.set("active", &1);
        settings.set("weight", &weight);
        self.servers.push((name.to_owned(), settings));
        self
    }

    /// The same with a real server added.
    pub fn with_server(mut self, name: &str, address: Ipv4Addr, weight: u32) -> Virtual {
        self.add_server(name, address, weight);
        self
    }

    /// Sets a key of a real server. Panics if there is none of this name.
    pub fn set_server(&mut self, name: &str, key: &str, value: impl fmt::Display) -> &mut Virtual {
        let found = self.servers.iter_mut().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no server {name}")).1.set(key, &value);
        self
    }

    /// Removes a real server.
    pub fn remove_server(&mut self, name: &str) -> &mut Virtual {
        self.servers.retain(|(known, _)| known != name);
        self
    }
}

impl fmt::Display for Virtual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "virtual {} {{", self.name)?;
        self.settings.write(f, "    ")?;
        for (name, settings) in &self.servers {
            writeln!(f, "    server {name} {{")?;
            settings.write(f, "        ")?;
            writeln!(f, "    }}")?;
        }
        writeln!(f, "}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_blocks_and_replaces_values() {
        let mut config = Config::default();
        config.set("service", "lvs").set("keepalive", 2).set("keepalive", 1);
        let web = Virtual::new("web").with("port", 80).with_server("one", Ipv4Addr::LOCALHOST, 3);
        config.virtuals.push(web);
        config.virtual_server("web").set_server("one", "weight", 5);
        assert_eq!(
            config.to_string(),
            "service = lvs\nkeepalive = 1\nvirtual web {\n    active = 1\n    port = 80\n    server one {\n        \
             address = 127.0.0.1\n        active = 1\n        weight = 5\n    }\n}\n"
        );
    }
}
