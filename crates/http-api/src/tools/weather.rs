//! `weather_forecast`.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::protocol::ToolDefinition;
use towline_core::{Error, ErrorKind, Tool, ToolCall, ToolResult};

use super::{ask, reads_the_world};
use crate::client::{Api, CallOptions};
use crate::encode::encode;
use crate::request::ApiRequest;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The city, such as `Berlin`.
    #[schemars(length(min = 1, max = 200))]
    city: String,
    /// How many days, from today on.
    #[serde(default = "usual_days")]
    #[schemars(range(min = 1, max = 14))]
    days: u8,
}

fn usual_days() -> u8 {
    5
}

/// A forecast, in degrees Celsius and millimetres.
#[derive(Debug, Serialize, JsonSchema)]
struct WeatherForecast {
    city: String,
    country: Option<String>,
    days: Vec<Day>,
}

/// One day of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Day {
    /// As `2026-01-31`.
    date: String,
    condition: Option<String>,
    /// Degrees Celsius.
    high: Option<f64>,
    /// Degrees Celsius.
    low: Option<f64>,
    /// Millimetres.
    precipitation_mm: Option<f64>,
}

/// The shapes in which APIs tell it: a plain one, and that of weatherapi.com.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Nested { location: GivenLocation, forecast: GivenForecast },
    Plain { city: String, country: Option<String>, days: Vec<GivenDay> },
}

#[derive(Deserialize)]
struct GivenLocation {
    name: String,
    country: Option<String>,
}

#[derive(Deserialize)]
struct GivenForecast {
    forecastday: Vec<GivenForecastDay>,
}

#[derive(Deserialize)]
struct GivenForecastDay {
    date: String,
    day: GivenDayOf,
}

#[derive(Deserialize)]
struct GivenDayOf {
    maxtemp_c: Option<f64>,
    mintemp_c: Option<f64>,
    totalprecip_mm: Option<f64>,
    condition: Option<GivenCondition>,
}

#[derive(Deserialize)]
struct GivenCondition {
    text: Option<String>,
}

#[derive(Deserialize)]
struct GivenDay {
    date: String,
    condition: Option<String>,
    high: Option<f64>,
    low: Option<f64>,
    precipitation_mm: Option<f64>,
}

impl From<Given> for WeatherForecast {
    fn from(given: Given) -> Self {
        match given {
            Given::Plain { city, country, days } => {
                let day = |day: GivenDay| Day {
                    date: day.date,
                    condition: day.condition,
                    high: day.high,
                    low: day.low,
                    precipitation_mm: day.precipitation_mm,
                };
                Self { city, country, days: days.into_iter().map(day).collect() }
            }
            Given::Nested { location, forecast } => {
                let day = |given: GivenForecastDay| Day {
                    date: given.date,
                    condition: given.day.condition.and_then(|condition| condition.text),
                    high: given.day.maxtemp_c,
                    low: given.day.mintemp_c,
                    precipitation_mm: given.day.totalprecip_mm,
                };
                let days = forecast.forecastday.into_iter().map(day).collect();
                Self { city: location.name, country: location.country, days }
            }
        }
    }
}

/// The tool `weather_forecast`.
#[derive(Debug)]
pub(super) struct Forecast {
    definition: ToolDefinition,
    api: Api,
}

impl Forecast {
    pub(super) fn new(api: Api) -> Self {
        let definition =
            ToolDefinition::new("weather_forecast", "Tells the weather of a city for the next days.")
                .with_title("Weather forecast")
                .with_input::<Arguments>()
                .with_output::<WeatherForecast>()
                .with_annotations(reads_the_world());
        Self { definition, api }
    }
}

#[async_trait]
impl Tool for Forecast {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { city, days } = call.parse()?;
        if city.trim().is_empty() {
            return Err(Error::new(ErrorKind::InvalidParams, "`city` must not be blank."));
        }
        let named = &self.api.config().named_tool;
        let path = named.path.clone().unwrap_or_else(|| "/forecast".into());
        let request = ApiRequest::get(path).with_query(format!(
            "{}={}&{}={days}",
            encode(named.parameter("city", "q")),
            encode(&city),
            encode(named.parameter("days", "days")),
        ));
        let options = CallOptions::new().with_cache_for(Duration::from_secs(1800));
        match ask::<Given>(&self.api, request, &options, call.context()).await? {
            Ok(given) => ToolResult::json(&WeatherForecast::from(given)),
            Err(failed) => Ok(failed),
        }
    }
}
