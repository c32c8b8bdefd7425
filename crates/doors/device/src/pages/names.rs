//! Names of devices, each looked up once for a page.

use std::collections::HashMap;

use hallway_evidence::DeviceId;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::Unit;

use crate::store::DeviceTables;

/// Looks names up, and remembers them.
pub struct DeviceNames<'a> {
    reader: &'a Unit<'a>,
    devices: HashMap<DeviceId, String>,
}

impl<'a> DeviceNames<'a> {
    /// No name is known yet.
    pub fn new(reader: &'a Unit<'a>) -> Self {
        Self {
            reader,
            devices: HashMap::new(),
        }
    }

    /// The name that the owner of that time gave a device, for an entry of the log about it.
    pub async fn then(&mut self, id: DeviceId, log_index: u64) -> Result<String, Problem> {
        match self.reader.ownerships().at(id, log_index).await? {
            Some(period) => Ok(period.name),
            None => Ok(self.serial(id).await?),
        }
    }

    /// A device's serial number, which no owner chooses.
    async fn serial(&self, id: DeviceId) -> Result<String, Problem> {
        let device = self.reader.devices().get(id).await?;
        Ok(device.map_or_else(|| "an unknown device".to_owned(), |device| device.serial))
    }

    /// The present name of a device, for operators and owners.
    pub async fn now(&mut self, id: DeviceId) -> Result<String, Problem> {
        if let Some(name) = self.devices.get(&id) {
            return Ok(name.clone());
        }
        let device = self.reader.devices().get(id).await?;
        let name = device.map_or_else(|| "an unknown device".to_owned(), |device| device.name);
        self.devices.insert(id, name.clone());
        Ok(name)
    }
}
