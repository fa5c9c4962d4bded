//! The mounts of a container as inspect and list show them.

use berth_api_types::container::MountPoint;

use crate::spec::ValidatedConfig;
use crate::spec::validate::MountKind;

/// One entry for each mount that was asked for; `HostConfig.Tmpfs` has none, as with Docker.
pub fn mount_points(validated: &ValidatedConfig) -> Vec<MountPoint> {
    let short_form = validated.host().tmpfs.as_ref();
    validated
        .mounts()
        .iter()
        .filter_map(|mount| {
            let point = MountPoint {
                destination: mount.target.clone(),
                rw: !mount.read_only,
                ..MountPoint::default()
            };
            match &mount.kind {
                MountKind::Bind { source, propagation, mode, .. } => Some(MountPoint {
                    r#type: "bind".into(),
                    source: source.clone(),
                    mode: mode.clone(),
                    propagation: propagation.clone(),
                    ..point
                }),
                MountKind::Tmpfs { .. } if short_form.is_some_and(|all| all.contains_key(&mount.target)) => {
                    None
                }
                MountKind::Tmpfs { .. } => Some(MountPoint { r#type: "tmpfs".into(), ..point }),
            }
        })
        .collect()
}
