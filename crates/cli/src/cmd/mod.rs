//! One module per verb: its flags, its requests and what it prints.

pub mod attach;
pub mod completion;
pub mod create;
pub mod events;
pub mod history;
pub mod images;
pub mod import;
pub mod info;
pub mod inspect;
pub mod kill;
pub mod load;
pub mod logs;
pub mod prune;
pub mod ps;
pub mod rename;
pub mod rm;
pub mod rmi;
pub mod run;
pub mod start;
pub mod stop;
pub mod tag;
pub mod version;
pub mod wait;

use crate::cli::{ContainerVerb, ImageVerb, SystemVerb, Verb};
use crate::client::Client;
use crate::error::Result;

/// Runs a verb; the result is the process's exit status.
pub async fn dispatch(client: &Client, verb: Verb) -> Result<u8> {
    match verb {
        Verb::Attach(args) => attach::attach(client, args).await,
        Verb::Completion(args) => completion::completion(&args),
        Verb::Container(verb) => container(client, verb).await,
        Verb::Create(args) => create::create(client, args).await,
        Verb::Events(args) => events::events(client, args).await,
        Verb::History(args) => history::history(client, args).await,
        Verb::Image(verb) => image(client, verb).await,
        Verb::Images(args) => images::images(client, args).await,
        Verb::Import(args) => import::import(client, args).await,
        Verb::Info(args) => info::info(client, args).await,
        Verb::Inspect(args) => inspect::inspect(client, args).await,
        Verb::Kill(args) => kill::kill(client, args).await,
        Verb::Load(args) => load::load(client, args).await,
        Verb::Logs(args) => logs::logs(client, args).await,
        Verb::Ps(args) => ps::ps(client, args).await,
        Verb::Rename(args) => rename::rename(client, args).await,
        Verb::Restart(args) => stop::restart(client, args).await,
        Verb::Rm(args) => rm::rm(client, args).await,
        Verb::Rmi(args) => rmi::rmi(client, args).await,
        Verb::Run(args) => run::run(client, args).await,
        Verb::Start(args) => start::start(client, args).await,
        Verb::Stop(args) => stop::stop(client, args).await,
        Verb::System(SystemVerb::Events(args)) => events::events(client, args).await,
        Verb::System(SystemVerb::Info(args)) => info::info(client, args).await,
        Verb::System(SystemVerb::Prune(args)) => prune::system(client, args).await,
        Verb::Tag(args) => tag::tag(client, args).await,
        Verb::Version(args) => version::version(client, args).await,
        Verb::Wait(args) => wait::wait(client, args).await,
    }
}

async fn container(client: &Client, verb: ContainerVerb) -> Result<u8> {
    match verb {
        ContainerVerb::Attach(args) => attach::attach(client, args).await,
        ContainerVerb::Create(args) => create::create(client, args).await,
        ContainerVerb::Inspect(args) => inspect::containers(client, args).await,
        ContainerVerb::Kill(args) => kill::kill(client, args).await,
        ContainerVerb::Logs(args) => logs::logs(client, args).await,
        ContainerVerb::Ls(args) => ps::ps(client, args).await,
        ContainerVerb::Prune(args) => prune::containers(client, args).await,
        ContainerVerb::Rename(args) => rename::rename(client, args).await,
        ContainerVerb::Restart(args) => stop::restart(client, args).await,
        ContainerVerb::Rm(args) => rm::rm(client, args).await,
        ContainerVerb::Run(args) => run::run(client, args).await,
        ContainerVerb::Start(args) => start::start(client, args).await,
        ContainerVerb::Stop(args) => stop::stop(client, args).await,
        ContainerVerb::Wait(args) => wait::wait(client, args).await,
    }
}

async fn image(client: &Client, verb: ImageVerb) -> Result<u8> {
    match verb {
        ImageVerb::Bootstrap(args) => images::bootstrap(client, args).await,
        ImageVerb::History(args) => history::history(client, args).await,
        ImageVerb::Import(args) => import::import(client, args).await,
        ImageVerb::Inspect(args) => inspect::images(client, args).await,
        ImageVerb::Load(args) => load::load(client, args).await,
        ImageVerb::Ls(args) => images::images(client, args).await,
        ImageVerb::Prune(args) => prune::images(client, args).await,
        ImageVerb::Rm(args) => rmi::rmi(client, args).await,
        ImageVerb::Tag(args) => tag::tag(client, args).await,
    }
}
