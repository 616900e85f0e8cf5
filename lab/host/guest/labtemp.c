// SPDX-License-Identifier: GPL-2.0
/* A hwmon chip whose name, labels and readings are chosen by whoever loads it:
 *   insmod labtemp.ko chip=coretemp
 *   echo 97000 > /sys/module/labtemp/parameters/t1   (millidegrees: Package id 0)
 *   echo 91000,45000 > ... t2, t3: Core 0, Core 1
 */
#include <linux/module.h>
#include <linux/hwmon.h>
#include <linux/platform_device.h>

static char *chip = "coretemp";
module_param(chip, charp, 0444);
static int t1 = 42000, t2 = 40000, t3 = 41000, tmax = 84000, tcrit = 100000;
module_param(t1, int, 0644);
module_param(t2, int, 0644);
module_param(t3, int, 0644);
module_param(tmax, int, 0644);
module_param(tcrit, int, 0644);

static const char *const labels[] = { "Package id 0", "Core 0", "Core 1" };
static struct platform_device *pdev;
static struct device *hw;

static umode_t vis(const void *d, enum hwmon_sensor_types t, u32 a, int c) { return 0444; }
static int rd(struct device *dev, enum hwmon_sensor_types t, u32 attr, int ch, long *val)
{
	int v = ch == 0 ? t1 : ch == 1 ? t2 : t3;

	switch (attr) {
	case hwmon_temp_input: *val = v; return v < -273150 ? -EIO : 0;
	case hwmon_temp_max: *val = tmax; return 0;
	case hwmon_temp_crit: *val = tcrit; return 0;
	case hwmon_temp_crit_alarm: *val = v >= tcrit; return 0;
	}
	return -EOPNOTSUPP;
}
static int rds(struct device *dev, enum hwmon_sensor_types t, u32 attr, int ch, const char **s)
{
	*s = labels[ch];
	return 0;
}
#define F (HWMON_T_INPUT | HWMON_T_LABEL | HWMON_T_MAX | HWMON_T_CRIT | HWMON_T_CRIT_ALARM)
static const struct hwmon_channel_info *info[] = { HWMON_CHANNEL_INFO(temp, F, F, F), NULL };
static const struct hwmon_ops ops = { .is_visible = vis, .read = rd, .read_string = rds };
static const struct hwmon_chip_info ci = { .ops = &ops, .info = info };

static int __init lt_init(void)
{
	pdev = platform_device_register_simple("coretemp", 0, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	hw = hwmon_device_register_with_info(&pdev->dev, chip, NULL, &ci, NULL);
	if (IS_ERR(hw)) {
		platform_device_unregister(pdev);
		return PTR_ERR(hw);
	}
	return 0;
}
static void __exit lt_exit(void)
{
	hwmon_device_unregister(hw);
	platform_device_unregister(pdev);
}
module_init(lt_init);
module_exit(lt_exit);
MODULE_LICENSE("GPL");
