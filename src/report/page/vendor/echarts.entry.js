// What the page draws with, and nothing else: bundled by build.sh.
import { BarChart, CustomChart, LineChart, SankeyChart, ScatterChart } from 'echarts/charts';
import { AriaComponent, GridComponent, MarkLineComponent, TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([
  BarChart, CustomChart, LineChart, SankeyChart, ScatterChart,
  AriaComponent, GridComponent, MarkLineComponent, TooltipComponent, SVGRenderer,
]);

export { init };
