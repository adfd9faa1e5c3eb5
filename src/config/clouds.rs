//! Microsoft's clouds and their hosts (graph-facts 10.9); a token of one is worth nothing in another.

/// A cloud by its name in `config.toml`, with the root of its API and of its sign-in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// As `cloud = "..."` names it.
    pub name: &'static str,
    /// Root of the API with its version.
    pub graph_url: &'static str,
    /// Root of the sign-in service.
    pub login_url: &'static str,
}

/// Everywhere but where a law wants otherwise.
pub const GLOBAL: Cloud = Cloud {
    name: "global",
    graph_url: "https://graph.microsoft.com/v1.0",
    login_url: "https://login.microsoftonline.com",
};

/// All of them.
pub const CLOUDS: [Cloud; 4] = [
    GLOBAL,
    Cloud {
        name: "usgov",
        graph_url: "https://graph.microsoft.us/v1.0",
        login_url: "https://login.microsoftonline.us",
    },
    Cloud {
        name: "usgov-dod",
        graph_url: "https://dod-graph.microsoft.us/v1.0",
        login_url: "https://login.microsoftonline.us",
    },
    Cloud {
        name: "china",
        graph_url: "https://microsoftgraph.chinacloudapi.cn/v1.0",
        login_url: "https://login.chinacloudapi.cn",
    },
];
